/**
 * Tables that are ordered by a click on a column. The order stands in the address (`?sort=owned`, `?sort=-owned` for the
 * greatest first), so it works without script, survives refreshing, and can be sent to somebody.
 */
import { type Html, html } from "./html.ts";

export interface Column<Row> {
  /** In the address; unique on the page. */
  readonly key: string;
  readonly title: string;
  /** What rows are ordered by, if they can be; text by its parts, so that "i-10" comes after "i-9". */
  readonly sortBy?: (row: Row) => string | number;
  readonly cell: (row: Row) => Html | string;
  /** Right-aligned, and the greatest first at the first click. */
  readonly isNumber?: boolean;
  /** Left out where there is little room. */
  readonly isDetail?: boolean;
}

export interface TableOptions<Row> {
  readonly columns: readonly Column<Row>[];
  /** Tells rows apart when the page is refreshed. */
  readonly rowKey: (row: Row) => string;
  /** Rows light up the element of the same instance elsewhere on the page. */
  readonly isInstance?: boolean;
  /** Those of the request: other parameters stay when the order changes. */
  readonly parameters: URLSearchParams;
}

export function sortedTable<Row>(rows: readonly Row[], options: TableOptions<Row>): Html {
  const { columns, rowKey, parameters } = options;
  const order = orderOf(columns, parameters);
  const sorted = order === undefined ? rows : [...rows].sort(comparison(order));
  return html`<div class="scroll"><table>
<thead><tr>${columns.map((column) => heading(column, order, parameters))}</tr></thead>
<tbody>${sorted.map((row) => {
    const key = rowKey(row);
    const instance = options.isInstance === true ? html` data-instance="${key}"` : undefined;
    return html`<tr data-key="${key}"${instance}>${columns.map((column) => html`<td${classOf(column)}>${column.cell(row)}</td>`)}</tr>
`;
  })}</tbody>
</table></div>`;
}

interface Order<Row> {
  readonly column: Column<Row>;
  readonly sortBy: (row: Row) => string | number;
  readonly isDescending: boolean;
}

function orderOf<Row>(
  columns: readonly Column<Row>[],
  parameters: URLSearchParams,
): Order<Row> | undefined {
  for (const asked of parameters.getAll("sort")) {
    const column = columns.find(({ key }) => asked === key || asked === `-${key}`);
    if (column?.sortBy === undefined) continue;
    return { column, sortBy: column.sortBy, isDescending: asked.startsWith("-") };
  }
  return undefined;
}

function comparison<Row>({ sortBy, isDescending }: Order<Row>): (left: Row, right: Row) => number {
  const sign = isDescending ? -1 : 1;
  return (left, right) => sign * compare(sortBy(left), sortBy(right));
}

const collator = new Intl.Collator("en", { numeric: true });

function compare(left: string | number, right: string | number): number {
  if (typeof left === "string" || typeof right === "string") {
    return collator.compare(String(left), String(right));
  }
  return left < right ? -1 : left > right ? 1 : 0;
}

function heading<Row>(
  column: Column<Row>,
  order: Order<Row> | undefined,
  parameters: URLSearchParams,
): Html {
  if (column.sortBy === undefined) return html`<th${classOf(column)}>${column.title}</th>`;
  const isOrder = order?.column === column;
  const next = isOrder ? !order.isDescending : column.isNumber === true;
  const query = new URLSearchParams(parameters);
  query.set("sort", next ? `-${column.key}` : column.key);
  const direction = isOrder ? (order.isDescending ? "descending" : "ascending") : "none";
  return html`<th${classOf(column)} aria-sort="${direction}"><a href="?${query.toString()}" data-stay>${column.title}</a></th>`;
}

function classOf({ isNumber, isDetail }: Pick<Column<never>, "isNumber" | "isDetail">): Html {
  const names = [isNumber === true ? "number" : "", isDetail === true ? "detail" : ""].filter(
    (name) => name !== "",
  );
  return names.length === 0 ? html`` : html` class="${names.join(" ")}"`;
}
