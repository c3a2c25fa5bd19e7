/** Lays the background of the theme that is pointed at, or focused, behind the page's header, as the theme would. */
export function previewThemes() {
  const header = document.querySelector(".site-header");

  const show = (picture) => {
    const scrim = "linear-gradient(color-mix(in oklab, var(--surface) 76%, transparent), color-mix(in oklab, var(--surface) 76%, transparent))";
    header.style.backgroundImage = picture ? `${scrim}, url(${JSON.stringify(picture)})` : "";
  };
  const pictureOf = (target) => target.closest?.(".card, .theme-preview")?.querySelector(".theme-preview img")?.currentSrc;

  for (const happens of ["pointerover", "focusin"]) {
    document.addEventListener(happens, ({ target, pointerType }) => pointerType !== "touch" && show(pictureOf(target)));
  }
}
