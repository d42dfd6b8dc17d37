// Mounts the explorers of a page that has no kernel: of a built book, or one that `.save` has written.
// `explorers` stands above, where front.py has joined the files. A model keeps the state that stands in the
// page as JSON; the numbers come from the generated functions beside it.

import { copy, finite } from "./arrays.js";
import { render } from "./drawing.js";

const NO_VALUE =
  "No value here: the page eliminates without exchanging rows, and met a zero. Move an entry a little";

/** The state after an input has been set: with all that follows from it, or as it was, with the reason. */
function settled(explorer, state, name, value) {
  if (!explorer.inputs.includes(name)) return state;
  const asked = { ...state, [name]: copy(value), problem: "" };
  const refused = explorer.refusals[name]?.(asked);
  if (refused) return { ...state, problem: refused };
  const next = explorer.update(asked, name, state);
  if (next.problem) return { ...state, problem: next.problem };
  const { value: f, formula = 0 } = next.result;
  return finite(f) && finite(formula) ? next : { ...state, problem: NO_VALUE };
}

function hostedModel(explorer, first) {
  const listeners = new Map();
  let state = settled(explorer, first, explorer.first, first[explorer.first]);
  const fire = (event) => [...(listeners.get(event) ?? [])].forEach((listener) => listener());
  const differs = (a, b) => a !== b && JSON.stringify(a) !== JSON.stringify(b);
  return {
    get: (name) => copy(state[name]),
    set(name, value) {
      const before = state;
      state = settled(explorer, state, name, value);
      const changed = Object.keys(state).filter((key) => differs(state[key], before[key]));
      for (const key of changed) fire(`change:${key}`);
      if (changed.length) fire("change");
    },
    on: (event, listener) => listeners.set(event, (listeners.get(event) ?? new Set()).add(listener)),
    off: (event, listener) => (listener ? listeners.get(event)?.delete(listener) : listeners.delete(event)),
    save_changes() {},
    send() {},
  };
}

function mountAll() {
  for (const root of document.querySelectorAll(".mvn-widget:not(.mvn-mounted)")) {
    const page = root.querySelector(":scope > script[type='application/json']");
    if (!page) continue; // its numbers come from Python: the static figure is all a page can show
    const { functions, ...state } = JSON.parse(page.textContent);
    state.functions = new Function(`return ${functions}`)();
    render(explorers, { model: hostedModel(explorers[state.kind], state), el: root });
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
else mountAll();
