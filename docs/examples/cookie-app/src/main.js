import * as dragoman from "./dragoman.js";

const $ = (id) => document.getElementById(id);

function say(text, state = "") {
  $("status").textContent = text;
  $("status").dataset.state = state;
}

async function show() {
  const me = await dragoman.whoAmI();
  $("sign-in").hidden = me !== null;
  $("account").hidden = me === null;
  $("email").textContent = me?.email ?? "";
  $("sessions").replaceChildren(...(me ? await dragoman.sessions() : []).map(({ device, isCurrent }) => {
    const item = document.createElement("li");
    item.textContent = device.name + (isCurrent ? " (this one)" : "");
    return item;
  }));
}

// act does something, shows what came of it, and says what went wrong.
async function act(something) {
  try {
    await something();
    await show();
    say("");
  } catch (error) {
    say(error.message, "bad");
  }
}

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const { email, password } = Object.fromEntries(new FormData(event.target));
  const enter = dragoman[event.submitter?.name ?? "login"];
  act(async () => {
    await enter(email, password);
    event.target.reset();
  });
});
$("sign-out").addEventListener("click", () => act(dragoman.logout));

act(async () => {});
