/** Shows the picture that was chosen in a form for upload. */
export function previewUploads() {
  for (const input of document.querySelectorAll('input[type="file"][accept^="image"]')) {
    input.addEventListener("change", () => preview(input));
  }
}

function preview(input) {
  const shown = input.parentElement.querySelector(".field__preview");
  if (shown) {
    URL.revokeObjectURL(shown.src);
    shown.remove();
  }
  const [file] = input.files;
  if (!file?.type.startsWith("image/")) return;
  const picture = document.createElement("img");
  picture.className = "field__preview";
  picture.alt = file.name;
  // What is no picture after all is the server's to refuse.
  picture.addEventListener("error", () => picture.remove());
  picture.src = URL.createObjectURL(file);
  input.after(picture);
}
