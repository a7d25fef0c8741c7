// The ways in for files: choosing, taking a photo, dropping, pasting.

import { say } from "./words.js";

/** Gives the files of each way to `take`; `notice` is told what cannot be taken. */
export function open(inputs, take, notice) {
  for (const input of inputs) {
    input.addEventListener("change", () => {
      if (input.files.length) take(input.files);
      // The same file can be chosen again.
      input.value = "";
    });
  }
  addEventListener("paste", (event) => {
    const { files } = event.clipboardData;
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });

  const root = document.documentElement;
  let depth = 0;
  const over = (change) => {
    depth = Math.max(0, change ? depth + change : 0);
    root.classList.toggle("dropping", depth > 0);
  };
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => hasFiles(event) && over(1));
  addEventListener("dragleave", (event) => hasFiles(event) && over(-1));
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    over(0);
    const items = Array.from(event.dataTransfer.items ?? []);
    if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
      notice(say("script.folder"));
    } else if (event.dataTransfer.files.length) {
      take(event.dataTransfer.files);
    }
  });
}
