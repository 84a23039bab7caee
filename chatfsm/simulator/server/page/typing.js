// Typing: start() is called while keys are pressed, at most every two seconds, and stop() once they
// rest.

const REST = 4_000; // milliseconds without a key until the own typing stops
const REPEAT = 2_000; // milliseconds between two starts

export const typist = (start, stop) => {
  let timer = 0;
  let sentAt = 0;
  const end = (isSent) => {
    if (!timer) return;
    clearTimeout(timer);
    timer = sentAt = 0;
    if (!isSent) stop();
  };
  return {
    press() {
      if (!timer || performance.now() - sentAt > REPEAT) {
        sentAt = performance.now();
        start();
      }
      clearTimeout(timer);
      timer = setTimeout(() => end(false), REST);
    },
    // The message is sent, which ends the typing for all who see it.
    sent: () => end(true),
  };
};
