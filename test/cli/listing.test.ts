// Lists by --format: docker's rules for "table", "json" and templates, docker's columns.

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { test } from "node:test";
import { aligned } from "../../src/cli/aligned.js";
import { type Listing, renderListing } from "../../src/cli/listing.js";

interface Row {
  readonly id: string;
  readonly size: string;
  readonly labels: ReadonlyMap<string, string>;
}

const listing: Listing<Row> = {
  titles: { ID: "IMAGE ID", Size: "SIZE" },
  fields: ({ id, size, labels }) => ({
    Size: size,
    ID: id,
    Label: (key: string) => labels.get(key) ?? "",
  }),
  table: "{{.ID}}\t{{.Size}}",
};

const rows: readonly Row[] = [
  { id: "0123456789ab", size: "77.9MB", labels: new Map([["com.x.web-tier", "front"]]) },
  { id: "cdef", size: "1B", labels: new Map() },
];

// As Go's tabwriter.NewWriter(out, 10, 1, 3, ' ', 0) writes the same text (run with Go 1.26).
test("aligned: columns are ten wide at least and three apart; the last cell is not padded", () => {
  strictEqual(
    aligned("REPOSITORY\tTAG\tSIZE\na\tb\tc\n"),
    "REPOSITORY   TAG       SIZE\na            b         c\n",
  );
  strictEqual(
    aligned("a\tb\nlong text here\n\tx\ty\n"),
    "a         b\nlong text here\n          x         y\n",
  );
  strictEqual(aligned("é\tb\nabcdefgh\tx\t\n"), "é          b\nabcdefgh   x         \n");
  strictEqual(aligned(""), "");
});

test("listing: the default table, a table of one's own, rows by template, json", () => {
  strictEqual(
    renderListing(listing, rows),
    "IMAGE ID       SIZE\n0123456789ab   77.9MB\ncdef           1B\n",
  );
  strictEqual(
    renderListing(listing, rows, "table {{.Size}}\\t{{.ID | upper}}"),
    "SIZE      IMAGE ID\n77.9MB    0123456789AB\n1B        CDEF\n",
  );
  strictEqual(
    renderListing(listing, rows, "{{.ID}}: {{.Size}}\\n"),
    "0123456789ab: 77.9MB\n\ncdef: 1B\n\n",
  );
  deepStrictEqual(renderListing(listing, rows, "json").split("\n"), [
    '{"ID":"0123456789ab","Size":"77.9MB"}',
    '{"ID":"cdef","Size":"1B"}',
    "",
  ]);
  strictEqual(renderListing(listing, [], "table {{.ID}}"), "IMAGE ID\n");
  strictEqual(renderListing(listing, [], "{{.ID}}"), "");
});

test("listing: a label's column is headed by the last part of its key", () => {
  strictEqual(
    renderListing(listing, rows, 'table {{.ID}}\t{{.Label "com.x.web-tier"}}'),
    "IMAGE ID       web tier\n0123456789ab   front\ncdef           \n",
  );
});

test("listing: control characters reach no terminal and make no columns", () => {
  const row = { id: "a\tb\u001b[31m\nc", size: "1B", labels: new Map<string, string>() };
  strictEqual(renderListing(listing, [row]), "IMAGE ID     SIZE\na b\ufffd[31m\ufffdc   1B\n");
});

test("listing: a field that rows have not is refused, with those that they have", () => {
  throws(() => renderListing(listing, rows, "{{.Foo}}"), {
    code: "INVALID_ARGUMENT",
    message:
      'template parsing error: template: :1:2: executing "" at <.Foo>: can\'t evaluate field Foo; the fields are ID, Size',
  });
  throws(() => renderListing(listing, [], "table {{.Foo}}"), /can't evaluate field Foo/);
  throws(() => renderListing(listing, rows, "{{.ID"), {
    message: "template parsing error: template: :1: unclosed action",
  });
});
