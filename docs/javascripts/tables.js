// A table that is wider than the screen scrolls; this lets the keyboard scroll it, too. The theme wraps tables when it likes.
new MutationObserver(() => {
  document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])").forEach((box) => {
    box.tabIndex = 0;
  });
}).observe(document.body, { childList: true, subtree: true });
