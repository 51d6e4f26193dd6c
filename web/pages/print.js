"use strict";
// Prints the page by a button. Without scripts the menu of the browser does.

{
  const button = document.getElementById("print");
  button.hidden = false;
  button.addEventListener("click", () => print());
}
