// Forms. The server sends a form's name and not its fields: those of the built-in scenarios are known
// here, and other forms are filled in name by name.

export const FIELDS = {
  contact: [["name", "Your name"], ["email", "Your e-mail"]],
  parcel_number: [["parcel_number", "The number of your parcel"]],
  MobileChatSurvey: [["rating", "How was it? 1 to 5"], ["comment", "Anything else?"]],
  identity_check: [["account", "Your account"], ["password", "Your password"]],
  balance_consent: [["consent", "Shall it be shown? yes or no"]],
};

export const make = (name, options = {}, ...children) => {
  const element = document.createElement(name);
  const { data = {}, ...rest } = options;
  Object.assign(element, rest);
  Object.assign(element.dataset, data);
  element.append(...children);
  return element;
};

const row = (name, label, isSecret) => {
  const input = make("input", {
    name,
    autocomplete: "off",
    type: isSecret ? "password" : "text",
    required: true,
  });
  return make("label", { className: "field" }, make("span", { textContent: label }), input);
};

const freeRow = (isSecret) => {
  const name = make("input", { className: "name", placeholder: "name", ariaLabel: "Name" });
  const value = make("input", { placeholder: "value", ariaLabel: "Value", autocomplete: "off" });
  value.type = isSecret ? "password" : "text";
  const line = make("div", { className: "field free" }, name, value);
  name.addEventListener("input", () => {
    value.name = name.value;
  });
  return line;
};

// A card for an open form: submit(data) and cancel() are called by its buttons, left() gives the
// seconds that remain.
export const card = (form, { submit, cancel, left }) => {
  const fields = make("div", { className: "fields" });
  const element = make("form", { className: "card", data: { form: form.name ?? "" } });
  const heading = `${form.secure ? "Secure form" : "Form"}: ${form.name ?? ""}`;
  element.append(make("h2", { textContent: heading }), fields);
  const known = FIELDS[form.name];
  if (known) {
    fields.append(...known.map(([field, label]) => row(field, label, form.secure)));
  } else {
    fields.append(freeRow(form.secure));
    const more = make("button", { type: "button", className: "more", textContent: "One more field" });
    more.addEventListener("click", () => fields.append(freeRow(form.secure)));
    element.append(more);
  }
  const refuse = make("button", { type: "button", textContent: "Cancel" });
  const answer = make("button", { type: "submit", className: "main", textContent: "Answer" });
  const rest = make("span", { className: "left" });
  element.append(make("div", { className: "row" }, rest, refuse, answer));
  const timer = setInterval(() => {
    const seconds = Math.ceil(left());
    rest.textContent = seconds >= 0 && seconds < 3600 ? `${seconds} s left` : "";
  }, 500);
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    const inputs = [...element.querySelectorAll("input[name]")].filter((input) => input.name);
    submit(Object.fromEntries(inputs.map((input) => [input.name, input.value])));
  });
  refuse.addEventListener("click", cancel);
  const close = () => {
    clearInterval(timer);
    (element.parentElement ?? element).remove();
  };
  return { element, close };
};
