// Parses server-sent events from a body that arrives in pieces; the result does not depend on where the pieces end. The
// browser's own EventSource can neither POST nor send a token.

/** The events `{ name, data }` of a byte stream. An incomplete event at the end is dropped. */
export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new Parser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.feed(value);
    }
  } finally {
    // When the consumer stops early, the server should stop, too.
    reader.cancel().catch(() => {});
  }
}

export class Parser {
  #rest = "";
  #name = "";
  #data = [];
  #afterReturn = false;

  /** Parses the next piece and yields the events that it completes. Lines end with CR, LF or both. */
  *feed(piece) {
    let start = 0;
    for (let i = 0; i < piece.length; i += 1) {
      const char = piece[i];
      if (char === "\n" && this.#afterReturn) {
        this.#afterReturn = false;
        start = i + 1;
        continue;
      }
      this.#afterReturn = char === "\r";
      if (char !== "\n" && char !== "\r") continue;
      const event = this.#line(this.#rest + piece.slice(start, i));
      this.#rest = "";
      start = i + 1;
      if (event) yield event;
    }
    this.#rest += piece.slice(start);
  }

  #line(line) {
    if (line === "") {
      const event = this.#data.length ? { name: this.#name || "message", data: this.#data.join("\n") } : undefined;
      this.#name = "";
      this.#data = [];
      return event;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    return undefined;
  }
}
