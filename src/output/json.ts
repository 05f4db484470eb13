/** JSON with a newline at its end. What a terminal or a CI system would obey is escaped, so that it stays data wherever it is printed. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)
    .replace(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu, escaped)
    .replace(/##(?=[\w-]*\[)/g, '\\u0023#')}\n`
}

function escaped(mark: string): string {
  return [...Array(mark.length).keys()].map((at) => `\\u${mark.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')
}
