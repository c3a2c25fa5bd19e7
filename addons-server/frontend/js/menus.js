/** Closes an open menu when something else is pressed or focused, or Escape. */
export function closeMenus() {
  const menus = [...document.querySelectorAll("details.menu")];
  const others = (target) => menus.filter((menu) => menu.open && !menu.contains(target));

  for (const happens of ["pointerdown", "focusin"]) {
    document.addEventListener(happens, ({ target }) => others(target).forEach((menu) => (menu.open = false)));
  }
  for (const menu of menus) {
    menu.addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  }
}
