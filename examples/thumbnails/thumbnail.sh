#!/bin/sh
# One job: stdin says "WIDTH<TAB>PICTURE<TAB>OUTPUT"; makes OUTPUT, prints its name.
# May run twice, as any job may: it writes beside its output and renames at the end.
# Exit 65 (discard): what is there is no picture, and no retry would make it one.
IFS='	' read -r width picture output
if [ ! -r "$picture" ]; then
  echo "cannot read $picture" >&2
  exit 75
fi
if ! vipsheader "$picture" >/dev/null; then
  exit 65
fi
half="$output.$$.jpg"
trap 'rm -f "$half"' EXIT
vipsthumbnail "$picture" --size "${width}x" -o "$half" || exit 65
mv "$half" "$output" && echo "$output"
