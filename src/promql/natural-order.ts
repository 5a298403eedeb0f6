/** Order in which runs of digits count as numbers: "4m5" before "4m600". For sort_by_label. */
export function naturalCompare(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (isDigit(a, i) && isDigit(b, j)) {
      const left = digitsAt(a, i);
      const right = digitsAt(b, j);
      const leftNumber = left.replace(/^0+/, "");
      const rightNumber = right.replace(/^0+/, "");
      if (leftNumber.length !== rightNumber.length) return leftNumber.length - rightNumber.length;
      if (leftNumber !== rightNumber) return leftNumber < rightNumber ? -1 : 1;
      if (left.length !== right.length) return left.length - right.length;
      i += left.length;
      j += right.length;
      continue;
    }
    const left = a.charCodeAt(i++);
    const right = b.charCodeAt(j++);
    if (left !== right) return left - right;
  }
  return a.length - i - (b.length - j);
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function digitsAt(text: string, from: number): string {
  let to = from;
  while (to < text.length && isDigit(text, to)) to++;
  return text.slice(from, to);
}
