// The pass's secret leaves the address bar, and so the history, before anything else
// happens. It waits for the button: programs that open links to look at them press none.
(() => {
  "use strict";
  const secret = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  document.forms[0].elements.pass.value = secret;
  document.getElementById(secret ? "open" : "empty").hidden = false;
  // Another link, opened in the same tab, changes no more than the fragment.
  addEventListener("hashchange", () => location.hash && location.reload());
})();
