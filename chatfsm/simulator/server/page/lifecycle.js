// The lifecycle of the session: the server draws it from the transition table, and this lights the
// current state, the states before it, the transitions that it has taken and those expected next.

const all = (selector) => [...document.querySelectorAll(`#lifecycle ${selector}`)];
const node = (state) => all(`[data-state="${CSS.escape(state)}"]`)[0];

export const move = (previous, state) => {
  node(previous)?.classList.replace("now", "been");
  node(state)?.classList.remove("been");
  node(state)?.classList.add("now");
  for (const arrow of all("[data-move]")) {
    arrow.classList.remove("last");
    arrow.classList.toggle("next", arrow.dataset.move.startsWith(`${state} `));
    if (arrow.dataset.move === `${previous} ${state}`) arrow.classList.add("taken", "last");
  }
};

export const begin = () => {
  for (const one of all("*")) one.classList.remove("now", "been", "taken", "last", "next");
  move("", "establishing");
};
