// A list of which only the visible rows exist: thousands of rows stay quick.

const MOST_PRINTED = 3_000;

class RowList {
  // `options`: role of a row, height of a row in pixels, draw(index) → the row, open(index) on
  // Enter or a click, moved(index) when the active row changes.
  constructor(box, options) {
    this.box = box;
    this.options = options;
    this.count = 0;
    this.active = -1;
    this.top = el("div", { class: "rows", role: "presentation" });
    this.head = null;
    put(box, this.top);
    box.addEventListener("scroll", () => this.later());
    box.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.later()).observe(box);
    addEventListener("beforeprint", () => this.draw(true));
    addEventListener("afterprint", () => this.draw());
  }

  get height() {
    return this.options.height();
  }

  show(number, active = -1) {
    this.count = number;
    this.active = active;
    this.drawn = null;
    this.draw();
  }

  later() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.draw();
    });
  }

  draw(isPrinted = false) {
    if (this.box.offsetParent === null) return;
    const height = this.height;
    const above = this.top.offsetTop;
    let first = Math.max(0, Math.floor((this.box.scrollTop - above) / height) - 4);
    let last = Math.min(this.count, first + Math.ceil(this.box.clientHeight / height) + 9);
    if (isPrinted) [first, last] = [0, Math.min(this.count, MOST_PRINTED)];
    const state = `${first} ${last} ${height} ${this.active} ${isPrinted}`;
    if (this.drawn === state) return;
    this.drawn = state;
    this.top.style.height = isPrinted ? "auto" : `${this.count * height}px`;
    this.top.classList.toggle("flow", isPrinted);
    const rows = [];
    for (let index = first; index < last; index++) rows.push(this.row(index, height));
    if (isPrinted && last < this.count) rows.push(el("p", { text: `and ${this.count - last} more` }));
    put(this.top, rows);
    if (this.active >= first && this.active < last) this.box.setAttribute("aria-activedescendant", `${this.box.id}-${this.active}`);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(index, height) {
    const row = this.options.draw(index);
    row.id = `${this.box.id}-${index}`;
    row.style.top = `${index * height}px`;
    row.style.height = `${height}px`;
    row.classList.add("row");
    row.classList.toggle("active", index === this.active);
    row.addEventListener("click", () => {
      this.move(index);
      this.options.open?.(index);
    });
    return row;
  }

  // Make a row the active one, and bring it into view.
  move(index, isTold = true) {
    if (!this.count) return;
    this.active = Math.max(0, Math.min(this.count - 1, index));
    const height = this.height;
    const sticky = this.top.offsetTop;
    const top = sticky + this.active * height;
    const room = this.box.clientHeight - sticky;
    const [over, under] = [this.box.scrollTop - (top - sticky), top + height - (this.box.scrollTop + this.box.clientHeight)];
    // A far jump brings the row to the middle, a step just into view.
    if (over > 2 * height || under > 2 * height) this.box.scrollTop = top - sticky - room / 2;
    else if (over > 0) this.box.scrollTop -= over;
    else if (under > 0) this.box.scrollTop += under;
    this.draw();
    if (isTold) this.options.moved?.(this.active);
  }

  key(event) {
    if (event.target !== this.box || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
    const moves = {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.count - 1,
    };
    if (event.key in moves) this.move(moves[event.key]);
    else if ((event.key === "Enter" || event.key === " ") && this.active >= 0) this.options.open?.(this.active);
    else return;
    event.preventDefault();
  }
}
