"use strict";
// Copies what stands in a panel: a button.copy in a .panel gets visible, and takes the text of its <code>. The page has an element
// with the id said, in which it tells screen readers what happened; data-said of the button names what is copied.

{
  const said = document.getElementById("said");

  // write puts a text onto the clipboard: by the way that browsers have for secure pages, or by the old one.
  async function write(text) {
    if (navigator.clipboard) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch { /* the person or the browser said no: the old way asks nobody */ }
    }
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.className = "quiet";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  for (const button of document.querySelectorAll("button.copy")) {
    const code = button.closest(".panel").querySelector("code");
    let back = 0;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const done = await write(code.textContent);
      button.focus();
      if (!done) {
        getSelection().selectAllChildren(code);
      }
      button.textContent = done ? "Copied" : "Selected";
      button.classList.toggle("done", done);
      const what = button.dataset.said ?? "The command is";
      said.textContent = done ? `${what} on the clipboard.` : `${what} selected: copy with the keys of your system.`;
      clearTimeout(back);
      back = setTimeout(() => {
        button.textContent = "Copy";
        button.classList.remove("done");
        said.textContent = "";
      }, 2000);
    });
  }
}
