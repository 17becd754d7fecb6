// Keys for the review desk, and marks without loading the page anew. Without this file every page still works.
"use strict";

(function () {
  const form = document.querySelector("form");
  let sent = false;

  // A page that comes back from the browser's memory may be answered again.
  window.addEventListener("pageshow", function () { sent = false; });

  function press(selector) {
    const found = document.querySelector(selector);
    if (found) { found.click(); }
    return Boolean(found);
  }

  function plainKey(event) {
    return !(event.ctrlKey || event.metaKey || event.altKey || event.repeat);
  }

  function onKeys(act) {
    document.addEventListener("keydown", function (event) {
      if (plainKey(event) && act(event)) { event.preventDefault(); }
    });
  }

  function voting() {
    form.addEventListener("submit", function (event) {
      if (sent) { event.preventDefault(); }
      sent = true;
    });
    const choices = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie" };
    onKeys(function (event) {
      if (choices[event.key]) { return press('button[value="' + choices[event.key] + '"]'); }
      if (event.key.toLowerCase() === "u") { return press("#undo"); }
      // On a button that has the focus, space presses that button.
      const onButton = document.activeElement.closest("button, a");
      return event.key === " " && !onButton && press('button[value="skip"]');
    });
  }

  function marking() {
    const rows = Array.from(document.querySelectorAll(".tags li"));
    const status = document.getElementById("status");
    let digits = "", typedAt = 0;

    function here() { return rows.findIndex(function (row) { return row.classList.contains("here"); }); }

    function goTo(index) {
      if (index < 0 || index >= rows.length) { return false; }
      rows.forEach(function (row) { row.classList.remove("here"); });
      rows[index].classList.add("here");
      rows[index].focus({ preventScroll: true });
      rows[index].scrollIntoView({ block: "nearest" });
      return true;
    }

    function isOpen(row) { return !row.querySelector('[aria-pressed="true"]'); }

    function toNextOpen(from) {
      const next = rows.findIndex(function (row, index) { return index > from && isOpen(row); });
      if (next >= 0) { goTo(next); } else if (from + 1 < rows.length) { goTo(from + 1); }
    }

    function say(text, failed) {
      status.textContent = text;
      status.classList.toggle("failed", Boolean(failed));
    }

    function show(row, told) {
      row.querySelector(".yes").setAttribute("aria-pressed", String(told.relevant === true));
      row.querySelector(".no").setAttribute("aria-pressed", String(told.relevant === false));
      document.getElementById("marked").textContent = told.marked;
      document.getElementById("progress").value = told.marked;
      const words = told.relevant === null ? "not marked" : told.relevant ? "relevant" : "not relevant";
      say(row.querySelector(".name").textContent + ": " + words);
    }

    async function mark(button) {
      const row = button.closest("li");
      const body = new URLSearchParams(new FormData(form));
      body.set("mark", button.value);
      try {
        const reply = await fetch(form.action, {
          method: "POST", body: body, headers: { Accept: "application/json" }, credentials: "same-origin",
        });
        if (!reply.ok) { throw new Error(String(reply.status)); }
        show(row, await reply.json());
        return true;
      } catch (error) {
        say("This mark was not kept. Is the command still running?", true);
        return false;
      }
    }

    form.addEventListener("submit", function (event) {
      event.preventDefault();
      const button = event.submitter;
      goTo(rows.indexOf(button.closest("li")));
      mark(button);
    });

    async function answer(kind) {
      const index = here();
      if (index >= 0 && !sent) {
        sent = true;
        const button = rows[index].querySelector(kind);
        const kept = button.getAttribute("aria-pressed") === "true" || await mark(button);
        sent = false;
        if (kept) { toNextOpen(index); }
      }
    }

    function digit(key) {
      const now = Date.now();
      const longer = now - typedAt < 900 ? digits + key : key;
      digits = Number(longer) <= rows.length ? longer : key;
      typedAt = now;
      return goTo(Number(digits) - 1);
    }

    onKeys(function (event) {
      const key = event.key.toLowerCase();
      if (key === "y" || key === "n") { answer(key === "y" ? ".yes" : ".no"); return true; }
      if (/^[0-9]$/.test(key)) { return digit(key); }
      if (key === "arrowdown") { return goTo(here() + 1); }
      if (key === "arrowup") { return goTo(here() - 1); }
      if (key === "arrowleft") { return press("#previous"); }
      return key === "arrowright" && press("#next");
    });

    if (rows.length) {
      const first = rows.findIndex(isOpen);
      rows[Math.max(first, 0)].classList.add("here");
    }
  }

  if (document.body.classList.contains("vote")) { voting(); }
  if (document.body.classList.contains("mark")) { marking(); }
})();
