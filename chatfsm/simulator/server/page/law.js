// The lifecycle, drawn: where the session is, where it has been, and the way that it came.

const FINAL = new Set(["ended", "timed_out", "failed", "gone"]);
const ORIGIN = "http://www.w3.org/2000/svg";

let state = "";

const node = (name) => document.querySelector(`#law [data-state="${CSS.escape(name)}"]`);

export const isOver = () => FINAL.has(state);

// The middle of a state's box, in the drawing's units, and half of its size.
const box = (name) => {
  const rect = node(name).querySelector("rect");
  const [x, y] = node(name).getAttribute("transform").match(/[\d.]+/g).map(Number);
  const [width, height] = ["width", "height"].map((side) => Number(rect.getAttribute(side)));
  return { x: x + width / 2, y: y + height / 2, width: width / 2, height: height / 2 };
};

// Where the line from one box's middle to another's leaves the first.
const edge = (from, to) => {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const scale = Math.min(from.width / Math.abs(dx || 1e-9), from.height / Math.abs(dy || 1e-9));
  return [from.x + dx * scale, from.y + dy * scale];
};

const draw = (from, to) => {
  document.querySelectorAll("#moves .last").forEach((line) => line.classList.remove("last"));
  const line = document.createElementNS(ORIGIN, "path");
  const [x1, y1] = edge(box(from), box(to));
  const [x2, y2] = edge(box(to), box(from));
  line.setAttribute("d", `M${x1} ${y1} L${x2} ${y2}`);
  line.setAttribute("class", "last");
  document.getElementById("moves").append(line);
};

// Move; false for what is no state, and where there is nothing more to move.
export const move = (next) => {
  const target = typeof next === "string" && next ? node(next) : null;
  if (!target || isOver()) return false;
  if (next !== state) {
    if (state) {
      node(state).classList.replace("now", "been");
      draw(state, next);
    }
    target.classList.remove("been");
    target.classList.add("now");
    state = next;
  }
  return true;
};

export const begin = () => {
  document.querySelectorAll("#law [data-state]").forEach((one) => one.classList.remove("now", "been"));
  document.getElementById("moves").replaceChildren();
  state = "";
  move("establishing");
};
