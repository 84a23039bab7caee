// One chat of the page. A client in the server speaks with the contact center; this sends it
// commands, and passes on its effects, which the server streams.

const CHATS = "web/chats";

const answerOf = async (reply) => {
  const value = await reply.json();
  if (!reply.ok) throw new Error(value.error);
  return value;
};

const post = async (path, value) => {
  const headers = { "Content-Type": "application/json" };
  return answerOf(await fetch(path, { method: "POST", headers, body: JSON.stringify(value) }));
};

export class Chat {
  static async open(appId) {
    return new Chat((await post(CHATS, { app_id: appId })).chat);
  }

  // A chat that was opened before. An answer of null, and not an error, says that there is none.
  static async find(key) {
    const found = new Chat(key);
    const { app_id: appId } = await answerOf(await fetch(found.path));
    if (appId === null) throw new Error("no such chat");
    return { appId, found };
  }

  constructor(key) {
    this.key = key;
    this.path = `${CHATS}/${encodeURIComponent(key)}`;
    this.clock = { now: 0, speed: 1, at: 0 };
  }

  // onRecord(record, number) for each effect and command; onConnected(whether) for the stream;
  // onGone() if the server does not have the chat any more.
  listen({ onRecord, onConnected, onGone }) {
    this.stream = new EventSource(`${this.path}/effects`);
    this.stream.addEventListener("clock", (message) => {
      this.clock = { ...JSON.parse(message.data), at: performance.now() };
    });
    this.stream.addEventListener("message", (message) => {
      onRecord(JSON.parse(message.data), Number(message.lastEventId));
    });
    this.stream.addEventListener("open", () => onConnected(true));
    this.stream.addEventListener("error", () => {
      if (this.stream.readyState === EventSource.CLOSED) onGone();
      else onConnected(false);
    });
  }

  // The time of the client, in seconds.
  now() {
    return this.clock.now + ((performance.now() - this.clock.at) / 1000) * this.clock.speed;
  }

  send(command, fields = {}) {
    return post(`${this.path}/commands`, { command, ...fields });
  }

  async share(file) {
    const headers = { "Content-Type": file.type || "application/octet-stream" };
    const path = `${this.path}/files?name=${encodeURIComponent(file.name)}`;
    return answerOf(await fetch(path, { method: "POST", headers, body: file }));
  }

  file(fileId) {
    return `${this.path}/files/${encodeURIComponent(fileId)}`;
  }

  photo(partyId) {
    return `${this.path}/profilephotos/${encodeURIComponent(partyId)}`;
  }

  close() {
    this.stream?.close();
  }
}
