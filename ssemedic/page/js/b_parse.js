// An event stream, read as the standard says (WHATWG HTML, 9.2.6): fetch shows what EventSource
// hides, which is comments, and events whose name nobody listens to.

class EventReader {
  constructor(heard) {
    this.heard = heard;
    this.text = "";
    this.begun = false;
    this.decoder = new TextDecoder("utf-8");
    this.event = { name: "", data: null };
    this.lastId = "";
    this.retry = null;
  }

  push(bytes, at) {
    this.text += this.decoder.decode(bytes, { stream: true });
    if (!this.begun && this.text) {
      this.begun = true;
    }
    for (;;) {
      const found = /\r\n|\n|\r(?!$)/.exec(this.text);
      if (!found) return;
      const line = this.text.slice(0, found.index);
      this.text = this.text.slice(found.index + found[0].length);
      this.line(line, at);
    }
  }

  line(line, at) {
    if (line === "") return this.dispatch(at);
    if (line.startsWith(":")) return this.heard({ at, comment: line.slice(1).trim().slice(0, 40) });
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.event.name = value;
    else if (field === "data") this.event.data = this.event.data === null ? value : `${this.event.data}\n${value}`;
    else if (field === "id" && !value.includes("\0")) this.lastId = value;
    else if (field === "retry" && /^[0-9]+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  dispatch(at) {
    const { name, data } = this.event;
    this.event = { name: "", data: null };
    if (data !== null) this.heard({ at, name: name || "message", named: Boolean(name), id: this.lastId, data });
  }
}
