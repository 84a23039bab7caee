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

  constructor(key) {
    this.path = `${CHATS}/${encodeURIComponent(key)}`;
    this.clock = { now: 0, speed: 1, at: 0 };
  }

  // onRecord(record) for each effect and command; onConnected(whether) for the stream itself.
  listen(onRecord, onConnected) {
    this.stream = new EventSource(`${this.path}/effects`);
    this.stream.addEventListener("clock", (message) => {
      this.clock = { ...JSON.parse(message.data), at: performance.now() };
    });
    this.stream.addEventListener("message", (message) => onRecord(JSON.parse(message.data)));
    this.stream.addEventListener("open", () => onConnected(true));
    this.stream.addEventListener("error", () => onConnected(false));
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
