// One widget for the script tag that brought us, when the page is there to put it on. A page that draws itself
// anew throws the widget away and brings the script again: then the same one is put back, with its line.

const SETTINGS = /*SETTINGS*/ {};
const script = document.currentScript;
const base = new URL(".", script.src);
const HERE = Symbol.for(`centralita ${base.href}`);
const start = () => {
  const { host } = (document[HERE] ??= new Panel(SETTINGS, base, script));
  if (!host.isConnected) document.body.append(host);
};
if (document.body) start(); else addEventListener("DOMContentLoaded", start);
