// Everything here has a way to do without it: a click selects the text.
if (navigator.clipboard) {
  document.querySelectorAll("[data-copy-from]").forEach((button) => {
    button.hidden = false;
  });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy-from]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copyFrom).dataset.value);
  say(button.getAttribute("aria-label").replace("Copy", "Copied"));
});

function say(text) {
  const live =
    document.getElementById("live") ??
    document.body.appendChild(Object.assign(document.createElement("p"), { id: "live", className: "vh", role: "status" }));
  live.textContent = text;
}
