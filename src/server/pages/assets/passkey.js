// A passkey takes a script (Web Authentication): without one, or without support for it, the page offers something else.
if (window.PublicKeyCredential) {
  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form);
    });
  });
  document.querySelectorAll("[data-without-passkey]").forEach((other) => {
    other.hidden = true;
  });
}

async function ask(form) {
  const said = form.querySelector("[data-said]");
  said.textContent = "";
  try {
    const made = form.dataset.passkey === "make";
    const { response, rawId } = made ? await make(form.dataset) : await use(form.dataset);
    const answers = made
      ? { client_data: response.clientDataJSON, attestation: response.attestationObject }
      : {
          credential: rawId,
          client_data: response.clientDataJSON,
          authenticator_data: response.authenticatorData,
          signature: response.signature,
        };
    for (const [name, answer] of Object.entries(answers)) form.elements[name].value = encoded(answer);
    form.submit();
  } catch (error) {
    said.textContent = error.name === "InvalidStateError" ? said.dataset.held : said.dataset.failed;
  }
}

function make({ algorithms, challenge, party, member, name, displayName, held }) {
  return navigator.credentials.create({
    publicKey: {
      challenge: decoded(challenge),
      rp: { id: party, name: "Muniment" },
      user: { id: decoded(member), name, displayName },
      pubKeyCredParams: words(algorithms).map((alg) => ({ type: "public-key", alg: Number(alg) })),
      excludeCredentials: listed(held),
      authenticatorSelection: { residentKey: "discouraged", userVerification: "preferred" },
      attestation: "none",
      timeout: 300_000,
    },
  });
}

function use({ challenge, party, held }) {
  return navigator.credentials.get({
    publicKey: {
      challenge: decoded(challenge),
      rpId: party,
      allowCredentials: listed(held),
      userVerification: "preferred",
      timeout: 240_000,
    },
  });
}

const words = (text) => text.split(" ").filter(Boolean);

const listed = (ids) => words(ids).map((id) => ({ type: "public-key", id: decoded(id) }));

const decoded = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (byte) => byte.charCodeAt(0));

const encoded = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
