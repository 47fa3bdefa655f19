// Builds elements. Text goes into the page as text nodes alone: nothing in this page ever parses
// markup out of a string, so what a model writes can only be read.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: `h("a", {class: "x", href: "#/", on: {click}}, "text", child)`. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") listen(element, value);
    else set(element, name, value);
  }
  append(element, children);
  return element;
}

function listen(element, handlers) {
  for (const [event, handler] of Object.entries(handlers)) element.addEventListener(event, handler);
}

/** Set an attribute, or take it away: false, null and undefined stand for "not there". */
export function set(element, name, value) {
  if (/^(on|style$|srcdoc$)/i.test(name))
    throw new Error(`${name} is no attribute for a page like this`);
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else element.setAttribute(name, value === true ? "" : String(value));
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Put these in the place of all that was in the element. */
export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Set the text, and leave the node alone when it says so already: a selection in it survives. */
export function setText(element, text) {
  const shown = String(text ?? "");
  if (element.textContent !== shown) element.textContent = shown;
}

let ids = 0;

/** An id for a label or a description to point to. */
export function uniqueId(prefix) {
  ids += 1;
  return `${prefix}-${ids}`;
}
