// One widget for the script tag that brought us, when the page is there to put it on.

const SETTINGS = /*SETTINGS*/ {};
const script = document.currentScript;
const base = new URL(".", script.src);
const start = () => { if (!document.getElementById(`centralita-${SETTINGS.name}`)) new Panel(SETTINGS, base, script); };
if (document.body) start(); else addEventListener("DOMContentLoaded", start);
