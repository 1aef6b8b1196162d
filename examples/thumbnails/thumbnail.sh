#!/bin/sh
# One job: thumbnail.sh OUTPUT_FOLDER. Stdin says "WIDTH NAME" on its first line, and the picture's
# path in the rest, whatever is in it; makes NAME in the folder, prints it.
# May run twice, as any job may: it writes beside its output and renames at the end.
# Exit 65 (discard): what is there is not a picture, and no retry would make it one.
output=$1
read -r width name
picture=$(cat; echo .)  # the dot keeps line breaks at the end of a path
picture=${picture%.}
first=$(head -c 12 <"$picture" | od -An -tx1 | tr -d ' \n')
case $first in
  ffd8ff* | 89504e47* | 52494646????????57454250 | 49492a00* | 4d4d002a*) ;;  # jpg png webp tiff
  '')
    if [ -f "$picture" ] && head -c 1 <"$picture" >/dev/null; then
      echo "the file is empty" >&2
      exit 65
    fi
    echo "the file cannot be read" >&2
    exit 75
    ;;
  *)
    echo "not a jpg, png, webp or tiff picture: it begins with the bytes $first" >&2
    exit 65
    ;;
esac
# Programs for pictures read more into a name than a name, so they get none.
if ! vipsheader stdin <"$picture" >/dev/null; then
  exit 65
fi
half="$output/$name.$$.jpg"
trap 'rm -f "$half"' EXIT
vipsthumbnail stdin --size "${width}x" -o .jpg <"$picture" >"$half" || exit 65
mv "$half" "$output/$name" && echo "$name"
