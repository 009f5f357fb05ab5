// Lets the libraries of the page live with a Content-Security-Policy that
// allows no inline style.
//
// Monaco, GraphiQL's editor, makes <style> elements and writes style attributes
// into the HTML that it renders; the policy blocks both. It does not govern the
// style object model, so the same declarations are set through that. This has
// to run before any library does.

// AdoptedStyle stands in for a <style> element: the text in it, and the rules
// inserted into its sheet, hold for the document while it is connected.
class AdoptedStyle extends HTMLElement {
  sheet = new CSSStyleSheet();

  constructor() {
    super();
    const observer = new MutationObserver(() => this.#readText());
    observer.observe(this, { childList: true, characterData: true, subtree: true });
  }

  connectedCallback() {
    this.hidden = true;
    if (this.textContent) this.#readText();
    document.adoptedStyleSheets.push(this.sheet);
  }

  disconnectedCallback() {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
  }

  #readText() {
    this.sheet.replaceSync(this.textContent);
  }
}
customElements.define('adopted-style', AdoptedStyle);

const createElement = document.createElement;
document.createElement = function (name, options) {
  const isStyle = String(name).toLowerCase() === 'style';
  return createElement.call(this, isStyle ? 'adopted-style' : name, options);
};

// Style attributes in a piece of HTML are renamed before it is parsed, and
// applied to the elements right after, before anything can measure them.
const TAG = /<[a-z](?:"[^"]*"|'[^']*'|[^"'<>])*>/gi;
const ATTRIBUTE = /\s([^\s"'=<>/]+)(\s*=\s*(?:"[^"]*"|'[^']*'))?/g;
const RENAMED = 'data-inline-style';

function renameStyles(html) {
  return html.replace(TAG, (tag) =>
    tag.replace(ATTRIBUTE, (attribute, name, value = '') =>
      name.toLowerCase() === 'style' ? ` ${RENAMED}${value}` : attribute,
    ),
  );
}

function applyStyles(root) {
  for (const element of root.querySelectorAll(`[${RENAMED}]`)) {
    element.style.cssText = element.getAttribute(RENAMED);
    element.removeAttribute(RENAMED);
  }
}

const { get, set } = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML');
Object.defineProperty(Element.prototype, 'innerHTML', {
  configurable: true,
  enumerable: true,
  get,
  set(html) {
    set.call(this, html === null ? '' : renameStyles(String(html)));
    applyStyles(this);
  },
});

const { insertAdjacentHTML } = Element.prototype;
Element.prototype.insertAdjacentHTML = function (position, html) {
  insertAdjacentHTML.call(this, position, renameStyles(String(html)));
  applyStyles(this.parentElement ?? this);
};
