"use strict";

const at = (id) => document.getElementById(id);
let doomed = null;

/** Returns the JSON of the response. Throws an error with the detail that the emulator sent. */
async function ask(path, options = {}) {
  const answer = await fetch("/dashboard/keys" + path, options);
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

/** Shows a result or an error below the list. */
function say(text, failed = false) {
  at("notice").textContent = text;
  at("notice").classList.toggle("failed", failed);
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function created(text) {
  const time = new Date(text);
  const minutes = Math.floor((Date.now() - time) / 60000);
  const shown = element("time", minutes < 1 ? "just now" : minutes < 60 ? `${minutes} min ago`
    : time.toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" }));
  shown.dateTime = text;
  shown.title = time.toLocaleString();
  return shown;
}

function row(key, fresh) {
  const tr = document.createElement("tr");
  tr.dataset.key = key.key_id;
  if (key.key_id === fresh) tr.className = "new";
  const scope = element("span", key.scope, "scope " + key.scope.toLowerCase());
  const revoke = element("button", "Revoke", "plain");
  revoke.type = "button";
  revoke.setAttribute("aria-label", `Revoke ${key.alias || key.key_id}`);
  revoke.addEventListener("click", () => {
    say("");
    doomed = key;
    at("doomed").textContent = key.alias || key.key_id;
    at("doomed-id").textContent = key.key_id;
    at("revoking").showModal();
  });
  const name = element("td", key.alias || "—");
  name.title = key.alias;
  tr.append(name, element("td", key.key_id + ":••••••••", "key"));
  for (const content of [scope, created(key.created_at), revoke]) {
    const td = document.createElement("td");
    td.append(content);
    tr.append(td);
  }
  return tr;
}

async function show(fresh) {
  const { account, keys } = await ask(".json");
  at("account").textContent = account;
  at("keys").replaceChildren(...keys.map((key) => row(key, fresh)));
  at("empty").hidden = keys.length > 0;
}

at("create").addEventListener("click", () => {
  say("");
  at("form").reset();
  at("problem").textContent = "";
  at("creating").showModal();
  at("name").focus();
});

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const alias = at("name").value.trim();
  if (!alias) {
    at("problem").textContent = "Enter a name for the key.";
    at("name").focus();
    return;
  }
  at("submit").disabled = true;
  try {
    const scope = new FormData(at("form")).get("scope");
    const made = await ask("", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ alias, scope }),
    });
    at("creating").close();
    at("secret").value = made.key;
    at("copy").textContent = "Copy";
    at("created").showModal();
    // Select the whole key, but show its beginning.
    at("secret").select();
    at("secret").scrollLeft = 0;
    await show(made.key_id);
    say(`Created ${alias}.`);
  } catch (error) {
    at("problem").textContent = error.message;
  } finally {
    at("submit").disabled = false;
  }
});

at("copy").addEventListener("click", async () => {
  at("secret").select();
  try {
    await navigator.clipboard.writeText(at("secret").value);
  } catch {
    document.execCommand("copy");
  }
  at("copy").textContent = "Copied";
});

// Remove the secret from the page, however the dialog is closed.
at("created").addEventListener("close", () => { at("secret").value = ""; });

at("revoke").addEventListener("click", async () => {
  at("revoke").disabled = true;
  let outcome = [`Revoked ${doomed.alias || doomed.key_id}.`];
  try {
    await ask("/" + encodeURIComponent(doomed.key_id), { method: "DELETE" });
    await show();
  } catch (error) {
    outcome = [error.message, true];
  }
  at("revoke").disabled = false;
  at("revoking").close();
  say(...outcome);
});

for (const button of document.querySelectorAll("[data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

// Under fal's own name there is no page of requests.
at("pages").hidden = location.hostname === "fal.ai";

show().catch((error) => say(error.message, true));
