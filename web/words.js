// What scripts say, in the person's language, with plural forms as Unicode CLDR has them.

let texts = {};
let forms = new Intl.PluralRules("en");

/** Speaks this language from now on. `groups` holds its texts by group and key. */
export function speak(language, groups) {
  texts = groups;
  forms = new Intl.PluralRules(language);
}

/** A text with what stands in braces filled in; with `n` among the values, in the form for so many. */
export function say(key, values = {}) {
  const [group, name] = key.split(".");
  const known = texts[group] ?? {};
  const text = known[`${name}_${forms.select(values.n ?? 0)}`] ?? known[name] ?? "";
  return text.replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

/** As the server says sizes. */
export function sizeText(bytes) {
  const units = ["bytes", "KB", "MB", "GB"];
  let power = 0;
  // Just below a unit, the unit says it better: never 1024 KB.
  while (bytes >= 1023 && power < units.length - 1) {
    bytes /= 1024;
    power += 1;
  }
  if (!power) return say("units.bytes", { n: bytes });
  const number = String(Number(bytes.toFixed(bytes < 99.95 ? 1 : 0)));
  return say(`units.${units[power]}`, { n: number.replace(".", say("units.decimal")) });
}

/** A time that is left, in short. */
export function timeText(seconds) {
  return seconds < 90
    ? say("script.short_seconds", { n: Math.max(1, Math.ceil(seconds)) })
    : say("script.short_minutes", { n: Math.ceil(seconds / 60) });
}
