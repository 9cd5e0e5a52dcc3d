// The page's only script. It adds to what the markup already shows: the filter, keys, copying, and the texts of evidence files.
// Text from the report is written with textContent and nothing else.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const files = JSON.parse(one('#files').textContent);
  const search = one('.filters');
  const text = one('#text');
  const hostSelect = one('#host');
  const driverSelect = one('#driver');
  const chips = all('.chip');
  const cells = all('a.cell');
  const problems = all('.problems li');

  /** Everything that is known of a job, for the search. */
  const haystacks = new Map();
  const haystack = (job) => {
    if (!haystacks.has(job)) {
      const parts = all('[data-text]', document.getElementById(job) ?? document.createElement('i'));
      haystacks.set(job, [job, ...parts.map((part) => part.textContent)].join('\n').toLowerCase());
    }
    return haystacks.get(job);
  };

  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = chips.filter((chip) => chip.ariaPressed === 'true').map((chip) => chip.dataset.outcome);
    const matches = (cell) =>
      (hostSelect.value === '' || cell.dataset.host === hostSelect.value) &&
      (driverSelect.value === '' || cell.dataset.driver === driverSelect.value) &&
      (wanted.length === 0 || wanted.includes(cell.dataset.outcome)) &&
      words.every((word) => haystack(cell.dataset.job).includes(word));
    const shown = new Set(cells.filter(matches));
    const jobs = new Set([...shown].map((cell) => cell.dataset.job));

    for (const cell of cells) cell.classList.toggle('other', !shown.has(cell));
    for (const row of all('[data-row]')) row.hidden = !all('a.cell', row).some((cell) => shown.has(cell));
    for (const area of all('[data-area]')) area.hidden = all('[data-row]', area).every((row) => row.hidden);
    hideColumns(shown);
    for (const problem of problems) problem.hidden = !problemJobs(problem).some((job) => jobs.has(job));
    scroller.hidden = shown.size === 0;
    one('.nothing').hidden = shown.size > 0;
    const filtered = words.length > 0 || hostSelect.value || driverSelect.value || wanted.length > 0;
    one('.shown').textContent = filtered ? `${shown.size} of ${cells.length}` : '';
    one('.filters .clear').hidden = !filtered;
    rove(cells.find((cell) => cell.tabIndex === 0 && shown.has(cell)) ?? [...shown][0]);
  };

  const problemJobs = (problem) => JSON.parse(problem.dataset.jobs);

  const hideColumns = (shown) => {
    const keep = new Set([...shown].map((cell) => cell.parentElement.dataset.cell));
    for (const part of all('.matrix [data-cell]')) part.hidden = !keep.has(part.dataset.cell);
    for (const group of all('.matrix th.host')) {
      const own = all('.matrix th.driver').filter(
        (head) => !head.hidden && head.dataset.host === group.dataset.host,
      );
      group.hidden = own.length === 0;
      group.colSpan = Math.max(1, own.length);
    }
  };

  /** A box that scrolls inside of the page hides rows: it is one only when the columns do not fit. */
  const scroller = one('.matrix .scroller');
  const fitMatrix = () => {
    const table = one('table', scroller);
    scroller.classList.toggle('fits', table.offsetWidth + 2 <= scroller.parentElement.clientWidth);
    scroller.style.setProperty('--filters-height', `${search.offsetHeight}px`);
  };
  const sizes = new ResizeObserver(fitMatrix);
  for (const part of [scroller.parentElement, one('table', scroller), search]) sizes.observe(part);

  /** One cell of the matrix takes part in the tab order; arrows move which. */
  const rove = (cell) => {
    for (const other of cells) other.tabIndex = other === cell ? 0 : -1;
  };

  const move = (from, key) => {
    const rows = all('[data-row]').filter((row) => !row.hidden);
    const y = rows.findIndex((row) => row.contains(from));
    const place = from.parentElement.cellIndex;
    const visible = (row) => all('a.cell', row).filter((cell) => !cell.parentElement.hidden);
    const inRow = visible(rows[y]);
    const x = inRow.indexOf(from);
    if (key === 'ArrowLeft') return inRow[x - 1];
    if (key === 'ArrowRight') return inRow[x + 1];
    if (key === 'Home') return inRow[0];
    if (key === 'End') return inRow.at(-1);
    const step = key === 'ArrowUp' ? -1 : 1;
    for (let next = y + step; rows[next]; next += step) {
      const cell = visible(rows[next]).find((candidate) => candidate.parentElement.cellIndex === place);
      if (cell) return cell;
    }
  };

  const target = () => {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {}
    const found = name && document.getElementById(name);
    return found && found.tagName === 'ARTICLE' ? found : undefined;
  };

  let opener;
  const opened = () => {
    const article = target();
    for (const cell of cells) cell.classList.toggle('open', cell.dataset.job === article?.id);
    if (!article) {
      opener?.focus({ preventScroll: true });
      opener = undefined;
      return;
    }
    article.focus({ preventScroll: true });
    elsewhere(article);
    const log = one('details.file', article);
    if (log) log.open = true;
  };

  /** Where else the scenario ran: whether the kernel or the driver is to blame is often seen here. */
  const elsewhere = (article) => {
    const cell = cells.find((candidate) => candidate.dataset.job === article.id);
    const others = cell ? all('a.cell', cell.closest('tr')).filter((other) => other !== cell) : [];
    if (others.length === 0 || one('.elsewhere', article)) return;
    const list = Object.assign(document.createElement('ul'), { className: 'jobs' });
    for (const other of others) {
      const { outcome, host, driver } = other.dataset;
      const tag = Object.assign(document.createElement('span'), { className: `tag ${outcome}` });
      tag.textContent = `${one('.glyph', other).textContent} ${outcome}`;
      const link = Object.assign(document.createElement('a'), { href: other.hash });
      link.append(tag, ` ${host}/${driver}`);
      list.append(document.createElement('li'));
      list.lastChild.append(link);
    }
    const section = Object.assign(document.createElement('section'), { className: 'elsewhere' });
    const title = Object.assign(document.createElement('h3'), { textContent: 'The same scenario elsewhere' });
    section.append(title, list);
    one('.body', article).append(section);
  };

  const fill = (details) => {
    const pre = one('pre', details);
    if (!details.open || pre.textContent !== '') return;
    const file = files[details.dataset.file];
    const before = file?.omitted > 0 ? `… ${file.omitted} bytes before this are in the file\n` : '';
    pre.textContent = file
      ? (file.problem ?? (before + file.text || 'The file is empty.'))
      : 'The file was not read.';
    // The end of a log is where it failed.
    pre.scrollTop = pre.scrollHeight;
  };

  const copy = async (button) => {
    const code = one('code', button.parentElement);
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // No clipboard for pages opened from some places: the selection can be copied instead.
      getSelection().selectAllChildren(code);
      if (!document.execCommand('copy')) return;
    }
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  };

  const step = (by) => {
    const list = problems.filter((problem) => !problem.hidden);
    const now = list.findIndex((problem) => problemJobs(problem).includes(target()?.id));
    const next = list[now === -1 && by < 0 ? list.length - 1 : now + by];
    if (next) location.hash = one('a', next).hash;
  };

  const clear = () => {
    text.value = '';
    hostSelect.value = '';
    driverSelect.value = '';
    for (const chip of chips) chip.ariaPressed = 'false';
    filter();
  };

  search.hidden = false;
  for (const button of all('.copy, .step')) button.hidden = false;
  for (const input of [text, hostSelect, driverSelect]) input.addEventListener('input', filter);
  document.addEventListener(
    'toggle',
    (event) => event.target.matches?.('details.file') && fill(event.target),
    true,
  );
  document.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button?.matches('.chip')) {
      button.ariaPressed = button.ariaPressed === 'true' ? 'false' : 'true';
      filter();
    }
    if (button?.matches('.clear')) clear();
    if (button?.matches('.copy')) copy(button);
    if (button?.matches('.step')) step(Number(button.dataset.step));
    const link = event.target.closest('.matrix a.cell, .problems a, .changes a');
    if (link) opener = link;
  });
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches('input, select, textarea');
    if (event.key === 'Escape') {
      if (target()) location.hash = '#closed';
      else if (event.target === text) clear();
    } else if (typing) {
      return;
    } else if (event.key === '/') {
      event.preventDefault();
      text.focus();
    } else if (event.key === 'n') {
      step(1);
    } else if (event.key === 'p') {
      step(-1);
    } else if (event.target.matches('a.cell') && /^(Arrow.*|Home|End)$/.test(event.key)) {
      event.preventDefault();
      const cell = move(event.target, event.key);
      if (!cell) return;
      rove(cell);
      cell.focus();
    }
  });
  addEventListener('hashchange', opened);
  filter();
  opened();
})();
