// Drives Debian's Chromium: reads one request as JSON from its standard input, and writes what it found to its standard
// output. Whatever is wrong with a page is in `faults`, one sentence each; it judges nothing else.
//
// `looks`: pages that are opened in each width, theme, with and without JavaScript, and looked at.
// `steps`: what a person does by the keyboard alone, from page to page; each page on the way is looked at.

import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const request = JSON.parse(await text(process.stdin));
const require = createRequire(join(request.modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const FLAGS =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
// What is left of a desk at a zoom of 400 per cent: nobody has to scroll sideways there either.
const NARROWEST = 320;
// How often Tab is pressed before something counts as out of reach.
const REACH = 40;

// The authenticator that is plugged in where a page is.
const authenticators = new WeakMap();

const faults = [];
mkdirSync(request.screenshots, { recursive: true });
const browser = await chromium.launch({ executablePath: request.browser, args: FLAGS.split(" ") });
try {
  for (const setting of request.settings) {
    await inSetting(setting);
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify({ faults }));

// One window, as one kind of person has it.
async function inSetting(setting) {
  const { width, theme, javascript } = setting;
  const name = `${width}-${theme}${javascript ? "" : "-without-javascript"}`;
  const context = await browser.newContext({
    viewport: { width, height: 844 },
    colorScheme: theme,
    javaScriptEnabled: javascript,
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const fault = (what) => faults.push(`${name}: ${new URL(page.url(), request.base).pathname}: ${what}`);
  listen(page, fault);
  for (const look of request.looks ?? []) {
    await page.goto(request.base + look.path);
    await examine(page, `${look.name}-${name}`, javascript, fault);
  }
  try {
    for (const step of request.steps ?? []) {
      await take(page, step, name, javascript, fault);
    }
  } catch (error) {
    fault(`${error.message} (focus on ${await focused(page)}; ${await page.title()})`);
    await page.screenshot({ path: join(request.screenshots, `failed-${name}.png`), fullPage: true });
  }
  await context.close();
}

// Nothing goes wrong, and nothing comes from elsewhere. A policy that was violated is an error of the console.
function listen(page, fault) {
  const origins = [request.base, ...(request.elsewhere ?? [])].map((base) => new URL(base).origin);
  // An answer that says no is an error to the console as well, and what a test asks for.
  const refused = /^Failed to load resource: the server responded with a status of 4\d\d/;
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()) && !refused.test(message.text())) fault(message.text());
  });
  page.on("pageerror", (error) => fault(error.message));
  // What a browser gives up itself because the page it was for is left says nothing about the page.
  page.on("requestfailed", (failed) => {
    const why = failed.failure()?.errorText;
    if (why !== "net::ERR_ABORTED") fault(`${failed.url()} failed: ${why}`);
  });
  page.on("request", (sent) => {
    if (!origins.includes(new URL(sent.url()).origin)) fault(`asks for ${sent.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 500) fault(`${response.url()} answered ${response.status()}`);
    if (response.status() >= 400 && response.url().includes("/assets/")) fault(`${response.url()} is not there`);
  });
}

// What a machine can tell of a page, and a picture for who looks at it.
async function examine(page, shot, javascript, fault) {
  await page.screenshot({ path: join(request.screenshots, `${shot}.png`), fullPage: true });
  const window = page.viewportSize();
  for (const width of [window.width, NARROWEST]) {
    await page.setViewportSize({ ...window, width });
    const wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    if (wide > 0) fault(`is ${wide} pixels wider than a window of ${width}`);
  }
  await page.setViewportSize(window);
  if (!javascript) return;
  await page.evaluate(axe);
  const run = `axe.run(document, { runOnly: ${JSON.stringify(RULES)} })`;
  const { violations } = await page.evaluate(run);
  for (const { id, help, nodes } of violations) {
    fault(`${id}: ${help}: ${nodes.map((node) => node.html).join(" ")}`);
  }
}

// A step is one of: open an address; plug in an authenticator, or have the one that is there say that it has signed so many times;
// reach something by Tab; type; type the code of the key that a page shows; press a key; wait for a title; see a title, a text, or
// what an address has.
async function take(page, step, name, javascript, fault) {
  if (step.open) await page.goto(new URL(step.open, request.base).href);
  if (step.authenticator) await authenticate(page, step.authenticator);
  if (step.reach) await reach(page, step.reach);
  if (step.type) await page.keyboard.type(step.type);
  if (step.code) await page.keyboard.type(codeOf(await page.getAttribute(step.code, "data-value")));
  if (step.press) await press(page, step.press, step.leads ?? false);
  if (step.becomes) await page.waitForFunction((title) => document.title === title, step.becomes);
  if (step.title && !(await page.title()).startsWith(step.title)) throw new Error(`is not "${step.title}"`);
  if (step.text && !(await page.innerText("body")).includes(step.text)) throw new Error(`does not say "${step.text}"`);
  const missing = (step.at ?? []).filter((part) => !page.url().includes(part));
  if (missing.length) throw new Error(`${page.url()} is without ${missing.join(" and ")}`);
  if (step.examine) await examine(page, `${step.examine}-${name}`, javascript, fault);
}

// A key that leads to another page is done when that page is there.
async function press(page, key, leads) {
  if (!leads) return page.keyboard.press(key);
  await Promise.all([page.waitForNavigation(), page.keyboard.press(key)]);
}

async function reach(page, selector) {
  const there = (wanted) => document.activeElement?.matches(wanted) ?? false;
  for (let pressed = 0; pressed <= REACH; pressed += 1) {
    if (await page.evaluate(there, selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${selector} is out of the keyboard's reach`);
}

// An authenticator that is touched whenever it is asked.
async function authenticate(page, { plug, signed }) {
  if (plug) {
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("WebAuthn.enable");
    const options = {
      protocol: "ctap2",
      transport: "usb",
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    };
    const { authenticatorId } = await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
    authenticators.set(page, { devtools, authenticatorId });
    return;
  }
  const { devtools, authenticatorId } = authenticators.get(page);
  const { credentials } = await devtools.send("WebAuthn.getCredentials", { authenticatorId });
  for (const credential of credentials) {
    const { credentialId } = credential;
    await devtools.send("WebAuthn.removeCredential", { authenticatorId, credentialId });
    await devtools.send("WebAuthn.addCredential", { authenticatorId, credential: { ...credential, signCount: signed } });
  }
}

// What an authenticator shows now (RFC 6238).
function codeOf(key) {
  const bits = [...key].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"));
  const bytes = bits.join("").match(/.{8}/g).map((byte) => parseInt(byte, 2));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", Buffer.from(bytes)).update(step).digest();
  const code = digest.readUInt32BE(digest[19] & 15) & 0x7fffffff;
  return String(code % 1_000_000).padStart(6, "0");
}

function focused(page) {
  return page.evaluate("document.activeElement?.outerHTML.slice(0, 120)");
}
