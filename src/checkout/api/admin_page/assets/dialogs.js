// Dialogs that ask before something is done. What the API refuses is said in the dialog, which stays open.

import { h } from "./dom.js";

/**
 * Ask for the fields and act. `fields`: [{name, label, hint}], one line each, needed. Resolves with the answer of `act`,
 * or null where it was cancelled.
 */
export function ask({ title, text, fields = [], button, act }) {
  return new Promise((resolve) => {
    const error = h("p", { className: "error", role: "alert" });
    const inputs = fields.map((field) =>
      h("input", { name: field.name, required: true, maxlength: 500, autocomplete: "off", "aria-describedby": field.hint ? `${field.name}-hint` : null }),
    );
    const confirm = h("button", { type: "submit", className: "primary" }, button);
    const form = h(
      "form",
      { method: "dialog" },
      h("h2", { id: "dialog-title" }, title),
      h("p", {}, text),
      fields.map((field, number) =>
        h("label", {}, field.label, inputs[number], field.hint ? h("small", { id: `${field.name}-hint` }, field.hint) : null),
      ),
      error,
      h("div", { className: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, "Not now"), confirm),
    );
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
    let answer = null;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      confirm.disabled = true;
      error.textContent = "";
      try {
        answer = await act(Object.fromEntries(inputs.map((input) => [input.name, input.value])));
        dialog.close();
      } catch (refusal) {
        error.textContent = refusal.message;
        confirm.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
