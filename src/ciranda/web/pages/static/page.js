// Keeps a page live: when the server says "look again", the page is fetched and what differs is exchanged in place, so that
// focus, scrolling and what somebody opened stay. Without this script a page is what it was when it was loaded.
"use strict";
(() => {
  const main = document.getElementById("main");
  const said = document.getElementById("said");
  const pulse = document.getElementById("pulse");
  const query = new URLSearchParams({ every: main.dataset.every, change: main.dataset.change });
  let stream = null;
  let looking = false;
  let again = false;

  const attributes = (from, to) => {
    const kept = (name) => name === "open" && from.localName === "details";
    for (const { name } of [...from.attributes]) if (!to.hasAttribute(name) && !kept(name)) from.removeAttribute(name);
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value && !kept(name)) from.setAttribute(name, value);
    }
  };

  const exchange = (from, to) => {
    if (from.nodeType !== Node.ELEMENT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.isEqualNode(to)) return;
    attributes(from, to);
    const named = new Map([...from.children].filter((child) => child.id).map((child) => [child.id, child]));
    let next = from.firstChild;
    for (const wanted of [...to.childNodes]) {
      const there = wanted.id ? named.get(wanted.id) : next && next.nodeName === wanted.nodeName && !next.id ? next : null;
      if (!there) {
        from.insertBefore(wanted, next);
        continue;
      }
      if (there === next) next = next.nextSibling;
      else from.insertBefore(there, next);
      exchange(there, wanted);
    }
    while (next) {
      const after = next.nextSibling;
      next.remove();
      next = after;
    }
  };

  const look = async () => {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
      if (answer.status === 401) location.reload();
      if (answer.ok) {
        const found = new DOMParser().parseFromString(await answer.text(), "text/html");
        const before = main.dataset.said;
        exchange(main, document.importNode(found.getElementById("main"), true));
        document.title = found.title;
        if (main.dataset.said !== before) said.textContent = main.dataset.said;
      }
      pulse.textContent = answer.ok ? pulse.dataset.live : pulse.dataset.refused;
    } catch {
      pulse.textContent = pulse.dataset.silent;
    } finally {
      looking = false;
      if (again) {
        again = false;
        look();
      }
    }
  };

  const close = () => {
    if (stream) stream.close();
    stream = null;
  };

  const open = () => {
    if (stream || document.hidden) return;
    stream = new EventSource(`/-/events?${query}`);
    stream.onopen = look;
    stream.onmessage = look;
    stream.onerror = () => {
      pulse.textContent = pulse.dataset.silent;
      if (stream && stream.readyState === EventSource.CLOSED) {
        close();
        setTimeout(open, 5000);
      }
    };
  };

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
})();
