// Forms. The wire tells a form's name and nothing of its fields, so those of the built-in scenarios
// are known here, and others are filled in name by name.

const FIELDS = {
  contact: [["name", "Your name"], ["email", "Your e-mail"]],
  parcel_number: [["parcel_number", "The number of your parcel"]],
  satisfaction_survey: [["rating", "How was it? 1 to 5"], ["comment", "Anything else?"]],
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

// A card for a form that was shown; answered(data) or cancelled() is called once.
export const card = (event, { answered, cancelled, expired }) => {
  const isSecure = event.event === "chat_session_secure_form_show";
  const name = String((isSecure ? event.form_id : event.form_name) ?? "");
  const fields = make("div", { className: "fields" });
  const known = FIELDS[name];
  const form = make("form", { className: "card", data: { form: name } });
  const heading = `${isSecure ? "Secure form" : "Form"}: ${name}`;
  form.append(make("h2", { textContent: heading }), fields);
  if (known) {
    fields.append(...known.map(([field, label]) => row(field, label, isSecure)));
  } else {
    fields.append(freeRow(isSecure));
    const more = make("button", { type: "button", className: "more", textContent: "One more field" });
    more.addEventListener("click", () => fields.append(freeRow(isSecure)));
    form.append(more);
  }
  const cancel = make("button", { type: "button", textContent: "Cancel" });
  const send = make("button", { type: "submit", className: "main", textContent: "Answer" });
  const left = make("span", { className: "left" });
  form.append(make("div", { className: "row" }, left, cancel, send));
  const seconds = Number(event.form_timeout ?? 0);
  const until = seconds > 0 ? Date.now() + seconds * 1000 : Infinity;
  const ticking = setInterval(() => {
    const rest = Math.ceil((until - Date.now()) / 1000);
    left.textContent = rest < 3600 ? `${rest} s left` : "";
    if (rest <= 0) finish(expired);
  }, 500);
  const finish = (then) => {
    clearInterval(ticking);
    (form.parentElement ?? form).remove();
    then();
  };
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    const inputs = [...form.querySelectorAll("input[name]")].filter((input) => input.name);
    const data = Object.fromEntries(inputs.map((input) => [input.name, input.value]));
    finish(() => answered(data));
  });
  cancel.addEventListener("click", () => finish(cancelled));
  return { element: form, name, isSecure, close: () => finish(() => {}) };
};
