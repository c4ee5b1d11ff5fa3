'use strict';

// Shows the estate every two seconds, and sends what the buttons say.
const live = document.getElementById('live');
let quietUntil = 0;

function say(text, bad) {
  live.textContent = text;
  live.classList.toggle('bad', Boolean(bad));
}

function mark(element, bad, text) {
  element.classList.toggle('bad', bad);
  element.querySelector('.state').textContent = text;
}

function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

function show(s) {
  const values = {
    level: s.level.toFixed(2) + ' m',
    pressure: s.pressure.toFixed(2) + ' bar',
    flow: s.flow.toFixed(1) + ' m³/h',
    power: s.power.toFixed(1) + ' kW',
  };
  for (const e of document.querySelectorAll('[data-show]')) e.textContent = values[e.dataset.show];
  for (const e of document.querySelectorAll('[data-pump]')) {
    const p = s.pumps[Number(e.dataset.pump)];
    const running = p.running ? '运行 ' + p.frequency.toFixed(1) + ' Hz' : s.dry_run ? '缺水停机 dry' : '备用 standby';
    mark(e, p.fault_word !== 0 || s.dry_run, p.fault_word !== 0 ? '故障 fault' : running);
  }
  for (const e of document.querySelectorAll('[data-burst]')) {
    const burst = s.burst.includes(e.dataset.burst);
    mark(e, burst, burst ? '爆管 burst' : '正常 sound');
  }
  for (const e of document.querySelectorAll('[data-flood]')) mark(e, s.flood, s.flood ? '有水 water' : '干燥 dry');
  for (const e of document.querySelectorAll('[data-device]')) {
    const fault = s.faults.find((f) => f.device === e.dataset.device);
    mark(e, Boolean(fault), fault ? fault.kind : '在线 answers');
  }
  for (const e of document.querySelectorAll('[data-checkpoint]')) {
    const id = e.dataset.checkpoint;
    let text = '';
    if (s.last_tap && s.last_tap.checkpoint === id) text = '✓ ' + clock(s.last_tap.at);
    else if (s.next_tap && s.next_tap.checkpoint === id) text = '→ ' + clock(s.next_tap.at);
    const skipped = s.skipping.includes(id);
    mark(e, skipped, skipped ? '下次漏掉 skipped' : text);
  }
  for (const e of document.querySelectorAll('[data-guard]')) mark(e, false, s.guard ? '巡逻中 walking' : '休息 resting');
  for (const b of document.querySelectorAll('button[data-name=guard]')) b.setAttribute('aria-pressed', String((b.dataset.args === 'on') === s.guard));
}

async function ask(path, init) {
  const answer = await fetch(path, init);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ? body.error.message.zh : answer.statusText);
  return body;
}

async function act(button) {
  const args = (button.dataset.args || '').split(' ').filter(Boolean);
  try {
    show(await ask('control', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Gengfu': '1' },
      body: JSON.stringify({ name: button.dataset.name, args }),
    }));
    say('✓ ' + (button.getAttribute('aria-label') || button.textContent.trim()));
  } catch (error) {
    say(error.message, true);
  }
  quietUntil = Date.now() + 4000;
}

async function look() {
  try {
    const s = await ask('state');
    show(s);
    if (Date.now() > quietUntil) say(clock(s.at));
  } catch (error) {
    say('连接中断 · No connection: ' + error.message, true);
  }
}

// Rows repeat their buttons: whoever hears the page needs the row's name with them.
for (const button of document.querySelectorAll('li button, [data-guard] button')) {
  const row = button.parentElement.querySelector('b').textContent;
  button.setAttribute('aria-label', (button.textContent + ' · ' + row).replace(/\s+/g, ' ').trim());
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-name]');
  if (button) act(button);
});
look();
setInterval(() => { if (!document.hidden) look(); }, 2000);
