// Mounts the explorers of a built page. `front` holds the exports of mvnlib/front, which the build writes above.
// A model keeps the state that stands in the page as JSON; the numbers come from the generated functions beside it.

function hostedModel(front, state) {
  const listeners = new Map();
  return {
    get: (name) => front.copy(state[name]),
    set(name, value) {
      const before = { ...state };
      Object.assign(state, front.update({ ...state, [name]: front.copy(value) }, name, state[name]));
      const changed = Object.keys(state).filter((key) => JSON.stringify(state[key]) !== JSON.stringify(before[key]));
      for (const event of [...changed.map((key) => `change:${key}`), ...(changed.length ? ["change"] : [])])
        for (const listener of [...(listeners.get(event) ?? [])]) listener();
    },
    on: (event, listener) => listeners.set(event, (listeners.get(event) ?? new Set()).add(listener)),
    off: (event, listener) => (listener ? listeners.get(event)?.delete(listener) : listeners.delete(event)),
    save_changes() {},
    send() {},
  };
}

function mountAll(front) {
  for (const root of document.querySelectorAll(".mvn-widget:not(.mvn-mounted)")) {
    const page = root.querySelector(":scope > script[type='application/json']");
    if (!page) continue; // its numbers come from Python: the static figure is all a page can show
    const { functions, ...state } = JSON.parse(page.textContent);
    state.functions = new Function(`return ${functions}`)();
    const key = front.FIRST[state.kind];
    Object.assign(state, front.update(state, key, state[key]));
    front.default.render({ model: hostedModel(front, state), el: root });
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => mountAll(front));
else mountAll(front);
