/** Tabs as the ARIA practices have them: one is reached by Tab, the others by arrows, Home and End. */
export function makeTabs(list: HTMLElement): void {
  const tabs = [...list.querySelectorAll<HTMLElement>('[role="tab"]')];
  const panel = (tab: HTMLElement): HTMLElement | null => document.getElementById(tab.getAttribute('aria-controls') ?? '');
  const choose = (chosen: HTMLElement): void => {
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      panel(tab)?.toggleAttribute('hidden', tab !== chosen);
    }
  };
  for (const tab of tabs) tab.addEventListener('click', () => choose(tab));
  list.addEventListener('keydown', (event) => {
    const at = tabs.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    const next = tabs[(to + tabs.length) % tabs.length] as HTMLElement;
    choose(next);
    next.focus();
    event.preventDefault();
  });
}
