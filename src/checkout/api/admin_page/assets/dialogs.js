// Dialogs that ask before something is done. What the API refuses is said in the dialog, which stays open.

import { h } from "./dom.js";

/**
 * Ask for the fields and act. `fields`: [{name, label, hint, type, value, optional}], one line each; `choices`: {name,
 * label, options, chosen}, any number of them. Resolves with the answer of `act`, or null where it was cancelled.
 */
export function ask({ title, text, fields = [], choices = null, button, act }) {
  const error = h("p", { className: "error", role: "alert" });
  const inputs = fields.map(input);
  const marks = choices === null ? [] : choices.options.map((one) => h("input", { type: "checkbox", value: one, checked: choices.chosen.includes(one) }));
  const confirm = h("button", { type: "submit", className: "primary" }, button);

  function given() {
    const filled = inputs.filter((one) => one.required || one.value.trim() !== "");
    const body = Object.fromEntries(filled.map((one) => [one.name, one.value]));
    return choices === null ? body : { ...body, [choices.name]: marks.filter((mark) => mark.checked).map((mark) => mark.value) };
  }

  return open(title, (close) => {
    async function submit(event) {
      event.preventDefault();
      confirm.disabled = true;
      error.textContent = "";
      try {
        close(await act(given()));
      } catch (refusal) {
        error.textContent = refusal.message;
        confirm.disabled = false;
      }
    }
    return h(
      "form",
      { method: "dialog", onsubmit: submit },
      h("p", {}, text),
      fields.map((field, number) => h("label", {}, field.label, inputs[number], field.hint ? h("small", { id: `${field.name}-hint` }, field.hint) : null)),
      choices === null
        ? null
        : h("fieldset", {}, h("legend", {}, choices.label), marks.map((mark) => h("label", { className: "check" }, mark, mark.value))),
      error,
      h("div", { className: "buttons" }, h("button", { type: "button", onclick: () => close(null) }, "Not now"), confirm),
    );
  });
}

/** Show a value that is not shown again, until it is closed. */
export function tell({ title, text, value }) {
  return open(title, (close) =>
    h("div", {}, h("p", {}, text), h("pre", { tabindex: 0 }, value), h("div", { className: "buttons" }, h("button", { type: "button", className: "primary", onclick: () => close(null) }, "I have it"))),
  );
}

function input(field) {
  return h("input", {
    name: field.name,
    type: field.type ?? "text",
    value: field.value,
    required: !field.optional,
    maxlength: field.type === "url" ? 2000 : 500,
    autocomplete: "off",
    "aria-describedby": field.hint ? `${field.name}-hint` : null,
  });
}

/** A dialog that `content(close)` fills. Resolves with what it was closed with, null where it was left. */
function open(title, content) {
  return new Promise((resolve) => {
    let answer = null;
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, h("h2", { id: "dialog-title" }, title));
    dialog.append(
      content((given) => {
        answer = given;
        dialog.close();
      }),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
