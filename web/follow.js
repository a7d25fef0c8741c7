// What the server tells of a request's files, from whatever page they came.

/** How long a server that was busy is left alone, in milliseconds. */
const PAUSE = 5_000;

/** Tells `heard` each change until the request is closed. Gives ways to `begin`, also anew, and to `stop`. */
export function follow(url, heard) {
  let stream;
  const stop = () => {
    stream?.close();
    stream = null;
  };
  const begin = () => {
    stop();
    const own = new EventSource(url);
    stream = own;
    own.onerror = () => {
      // Refused, and the browser does not try again.
      if (own.readyState === EventSource.CLOSED) setTimeout(() => stream === own && begin(), PAUSE);
    };
    own.onmessage = ({ data }) => {
      const news = JSON.parse(data);
      if (news.status !== "pending") own.close();
      heard(news);
    };
  };
  return { begin, stop };
}
