// The admin key of this tab. It is kept until the tab is closed, and nowhere but here.

const PLACE = "muninn.key";

/** "refused" is dispatched when the gateway does not accept the key any more, or wants one. */
export const session = new EventTarget();

export function key() {
  return sessionStorage.getItem(PLACE);
}

export function remember(secret) {
  sessionStorage.setItem(PLACE, secret);
}

export function forget() {
  sessionStorage.removeItem(PLACE);
}

/** The credentials of a call, as headers; none while the gateway is open. */
export function credentials() {
  const secret = key();
  return secret ? { authorization: `Bearer ${secret}` } : {};
}

/** Tell the page that its key was refused. */
export function refused(error) {
  session.dispatchEvent(new CustomEvent("refused", { detail: error }));
}
