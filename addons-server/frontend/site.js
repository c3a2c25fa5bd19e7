// Every page works without this; it only makes some things nicer.
import { closeMenus } from "./js/menus.js";
import { previewThemes } from "./js/themes.js";
import { previewUploads } from "./js/uploads.js";
import { relateTimes } from "./js/times.js";
import { suggest } from "./js/suggest.js";

closeMenus();
previewThemes();
previewUploads();
relateTimes();
suggest();
