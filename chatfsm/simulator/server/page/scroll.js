// A list that stays at its last row: also when rows grow, and when the list shrinks or is turned. It
// stays where it is once a person has scrolled up.

const NEAR = 40; // pixels from the end that count as the end

export const follow = (list) => {
  let isAtEnd = true;
  let seen = "";
  const size = () => `${list.scrollHeight} ${list.clientHeight} ${list.clientWidth}`;
  const settle = () => {
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    seen = size();
  };
  const sizes = new ResizeObserver(settle);
  sizes.observe(list);
  list.addEventListener("scroll", () => {
    if (list.scrollHeight - list.clientHeight - list.scrollTop < NEAR) isAtEnd = true;
    else if (seen === size()) isAtEnd = false; // else the size has changed, and not the place
  });
  return {
    add(element) {
      list.querySelector(".empty")?.remove();
      list.append(element);
      sizes.observe(element);
      settle();
      return element;
    },
    clear() {
      for (const element of list.children) sizes.unobserve(element);
      list.replaceChildren();
      isAtEnd = true;
    },
  };
};
