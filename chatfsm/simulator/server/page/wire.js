// The API as the wire has it: one chat, polled and posted to.

const SCHEME = "MOBILE-API-140-327-PLAIN";
const PAUSES = [0.5, 1, 2, 4, 8]; // seconds after failures in a row; then every 8
const POLL_TIMEOUT = 30_000; // twice the longest hold that was seen
const BUSY_REST = 0.05; // seconds between polls; a center that holds them lets neither be felt
const IDLE_REST = 0.3;
const GONE = "5005";
const OVER = new Set(["chat_session_ended", "chat_session_inactivity_timeout"]);
const CONFIRMED = new Set(["chat_session_message", "chat_session_file", "chat_session_form_data"]);

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const pause = (failures) => wait(PAUSES[Math.min(failures, PAUSES.length) - 1] ?? 0);

class Refused extends Error {
  constructor(status, code, text) {
    super(text || `status ${status}`);
    this.isGone = code === GONE || (status === 404 && !code);
    this.isPassing = status >= 500 || status === 429 || code === "5509";
  }
}

export class Chat {
  // told.event(event), told.trouble(text or ""), told.gone()
  constructor(tenant, appId, clientId, told) {
    this.told = told;
    this.tenant = tenant;
    this.authorization = `${SCHEME} appId="${appId}", clientId="${clientId}"`;
    this.id = "";
    this.isOver = false;
    this.number = -1; // own messages are 1, 3, 5, … and never meet the center's even numbers
    this.nonce = 0;
    this.outbox = [];
    this.isPosting = false;
    this.known = new Set(); // of what has an id, so that nothing is told twice
  }

  async open() {
    const found = await this.call("POST", "chats", { parameters: { user_platform: "browser" } });
    this.id = found.chat_id;
    this.told.event({ event: "chat_session_status", state: found.state, ewt: found.ewt });
    if (String(found.is_new_chat) === "false") await this.catchUp();
    this.poll();
  }

  say(event) {
    const numbered = { ...event };
    if (event.event === "chat_session_message" || event.event === "chat_session_file") {
      numbered.msg_id = String((this.number += 2));
    }
    this.outbox.push(numbered);
    this.post();
    return numbered.msg_id;
  }

  async upload(file) {
    const form = new FormData();
    form.append("file", file);
    return (await this.call("POST", "files", form)).file_id;
  }

  download(kind, id) {
    const path = `chats/${encodeURIComponent(this.id)}/${kind}/${encodeURIComponent(id)}`;
    return fetch(`clientweb/api/v2/${path}`, { headers: this.headers() }).then((reply) => {
      if (!reply.ok) throw new Refused(reply.status, "", "");
      return reply.blob();
    });
  }

  close() {
    this.isOver = true;
    this.polling?.abort();
  }

  headers() {
    return { Authorization: this.authorization, "Cache-Control": "no-cache" };
  }

  async call(method, path, body, signal) {
    const headers = this.headers();
    const isForm = body instanceof FormData;
    if (!isForm) headers["Content-Type"] = "application/json; charset=UTF-8";
    const query = `tenantUrl=${encodeURIComponent(this.tenant)}&_=${(this.nonce += 1)}`;
    const reply = await fetch(`clientweb/api/v2/${path}?${query}`, {
      method,
      headers,
      body: isForm || !body ? body : JSON.stringify(body),
      cache: "no-store",
      signal: signal ?? AbortSignal.timeout(POLL_TIMEOUT),
    });
    const text = await reply.text();
    let value = {};
    try {
      value = text ? JSON.parse(text) : {};
    } catch (error) {
      if (reply.ok) throw error;
    }
    const code = value.error_code === undefined ? "" : String(value.error_code);
    if (!reply.ok) throw new Refused(reply.status, code, String(value.error_message ?? ""));
    return value;
  }

  on(what) {
    return `chats/${encodeURIComponent(this.id)}/${what}`;
  }

  async poll() {
    let failures = 0;
    while (!this.isOver) {
      let news = [];
      this.polling = new AbortController();
      const timer = setTimeout(() => this.polling.abort(), POLL_TIMEOUT);
      try {
        // What a broken poll brought is told by the history alone.
        if (failures) await this.catchUp();
        news = (await this.call("GET", this.on("events"), null, this.polling.signal)).events ?? [];
        failures = 0;
        this.told.trouble("");
      } catch (error) {
        if (this.isOver) return;
        if (error.isGone) return this.lost();
        failures += 1;
        this.told.trouble(`The center cannot be reached (${error.message}). Trying again …`);
        await pause(failures);
      } finally {
        clearTimeout(timer);
      }
      news.forEach((event) => this.hear(event));
      await wait(news.length ? BUSY_REST : IDLE_REST);
    }
  }

  // What was said while nobody listened; also what came of own words of doubtful fate.
  async catchUp() {
    const { events = [] } = await this.call("GET", this.on("history"));
    events.forEach((event) => {
      if (event.msg_id || event.event.includes("_party_") || event.form_request_id) this.hear(event);
    });
    return events;
  }

  hear(event) {
    const { event: name, party_id: party, msg_id: id, timestamp } = event;
    const isOwn = String(party ?? "").toLowerCase() === this.id.toLowerCase();
    if (isOwn && id) this.number = Math.max(this.number, Number.parseInt(id, 10) | 1 || 0);
    const key = JSON.stringify([name, party, id, event.form_request_id, id ? event.msg : timestamp]);
    const hasIdentity = id || name.includes("_party_") || event.form_request_id;
    if (hasIdentity && this.known.has(key)) return;
    if (hasIdentity) this.known.add(key);
    this.told.event(event, isOwn);
    const failed = name === "chat_session_status" && event.state === "failed";
    if (OVER.has(name) || failed) this.close();
  }

  async post() {
    if (this.isPosting) return;
    this.isPosting = true;
    let failures = 0;
    while (this.outbox.length && !this.isOver) {
      const [event] = this.outbox;
      try {
        if (!failures || !(await this.hasArrived(event))) {
          await this.call("POST", this.on("events"), { events: [event] });
        }
        if (event.msg_id) this.told.event({ event: "sent", ref_msg_id: event.msg_id });
        failures = 0;
        this.outbox.shift();
      } catch (error) {
        if (error.isGone) return this.lost();
        if (error instanceof Refused && !error.isPassing) {
          this.told.trouble(`Refused: ${error.message}`);
          this.outbox.shift();
          failures = 0;
        } else {
          await pause((failures += 1));
        }
      }
    }
    this.isPosting = false;
  }

  async hasArrived(event) {
    if (!CONFIRMED.has(event.event)) return false;
    const own = (await this.catchUp()).filter(
      (old) => old.event === event.event && String(old.party_id).toLowerCase() === this.id.toLowerCase(),
    );
    const id = event.msg_id ? "msg_id" : "form_request_id";
    return own.some((old) => String(old[id]) === event[id]);
  }

  lost() {
    this.close();
    this.told.gone();
  }
}
