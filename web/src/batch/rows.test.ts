import { describe, expect, it } from "vitest";

import { csvOf, decoded, filtered, linesOf, type Row, textsOf, textsOfLines } from "./rows";

describe("what people paste or drop", () => {
  it("is a text a line, without the empty ones", () => {
    expect(linesOf(" one \r\n\n two\n")).toEqual({ texts: ["one", "two"], places: [1, 3] });
  });

  it("is the column with a usual name", () => {
    const csv = 'id,Review\n1,"Good, very good"\n2,"It said ""no"""\n';
    expect(textsOf(csv)).toEqual({
      texts: ["Good, very good", 'It said "no"'],
      places: [2, 3],
      columns: ["id", "Review"],
      column: 1,
      headed: true,
    });
  });

  it("is the column with the longest texts where no name is usual", () => {
    expect(textsOf("1,a long sentence,x\n2,another sentence,y\n")).toEqual({
      texts: ["a long sentence", "another sentence"],
      places: [1, 2],
      columns: ["1", "a long sentence", "x"],
      column: 1,
      headed: false,
    });
  });

  it("is what somebody says it is", () => {
    const csv = "Betreff;Nachricht\nHallo;Das ist ein langer Satz\nAch;Und noch einer\n";
    expect(textsOf(csv).texts).toEqual(["Nachricht", "Das ist ein langer Satz", "Und noch einer"]);
    expect(textsOf(csv, { column: 0, headed: true }).texts).toEqual(["Hallo", "Ach"]);
  });

  it("knows the row of each, past empty ones", () => {
    expect(textsOf("\nid;text\n1;a\n2;\n\n;\n3;b, c\n")).toMatchObject({ texts: ["a", "b, c"], places: [3, 7] });
  });

  it("keeps lines within quotes together", () => {
    expect(textsOf('text\n"one\ntwo"\n').texts).toEqual(["one\ntwo"]);
  });

  it("is refused when a quote is never closed, and all the rest would be one text", () => {
    expect(() => textsOf('text\nfine\n"never closed\nand\nso on\n')).toThrow(/^row 3: Quoted field unterminated/);
  });

  it("is refused when a later quote closes it, and the rows between would be one text", () => {
    const rows = Array.from({ length: 330 }, (_, n) => `review ${n + 1},${n % 2}`);
    rows[19] = `"${rows[19]}`;
    rows[119] = '"he said ""well"" and left",0';
    expect(() => textsOf(["text,label", ...rows].join("\n"))).toThrow(/^row 21: /);
    rows[119] = '", he said",0';
    expect(() => textsOf(["text,label", ...rows].join("\n"))).toThrow(/^row 21 has 3 cells/);
  });

  it("is refused when a text would be cut at a comma", () => {
    expect(() => textsOf("text\nfine\nThe plot is thin, but I loved it\n")).toThrow(/^row 3 has 2 cells and the first row 1: a text that holds ","/);
    expect(textsOf("text\nfine,,\n").texts).toEqual(["fine"]);
  });

  it("is a line each, commas and quotes included, of a file of lines", () => {
    const lines = 'Opinion\nThe plot is thin, but I loved it\n\nIt said "no\n';
    expect(textsOfLines(lines).texts).toEqual(["Opinion", "The plot is thin, but I loved it", 'It said "no']);
    expect(textsOfLines(lines, { column: 0, headed: true })).toMatchObject({ places: [2, 4], columns: ["Opinion"] });
  });

  it("may be nothing", () => {
    expect(textsOf("").texts).toEqual([]);
    expect(textsOf("text\n").texts).toEqual([]);
  });

  it("may come in the alphabets that spreadsheets write", () => {
    const utf16 = new Uint8Array([0xff, 0xfe, ...Array.from("é", (letter) => [letter.charCodeAt(0), 0]).flat()]);
    const files = [new Uint8Array([0xef, 0xbb, 0xbf, 0xc3, 0xa9]), new Uint8Array([0xc3, 0xa9]), utf16, new Uint8Array([0xe9])];
    expect(files.map(decoded)).toEqual(["é", "é", "é", "é"]);
  });
});

describe("the file that is downloaded", () => {
  const row: Row = { text: "Good", sentiment: "positive", confidence: 0.9, truncated: false, predictionId: "p", error: null };

  it("has a row for each text, failed ones too", () => {
    const failed: Row = { ...row, text: " ", sentiment: null, confidence: null, predictionId: null, error: "Empty" };
    expect(csvOf([row, failed], [2, 4]).split("\r\n")).toEqual([
      "row,text,sentiment,confidence,truncated,prediction_id,error",
      "2,Good,positive,0.9,false,p,",
      '4," ",,,,,Empty',
    ]);
  });

  it("is narrowed on the screen by outcome, word and confidence together", () => {
    const rows = [row, { ...row, text: "Not good", confidence: 0.55 }, { ...row, text: "good?", sentiment: null, confidence: null, error: "x" }];
    const found = (outcome: string, word: string, under: number | null) => filtered(rows, { outcome, word, under }).map(({ text }) => text);
    expect(found("all", " GOOD", null)).toEqual(["Good", "Not good", "good?"]);
    expect(found("positive", "", 0.6)).toEqual(["Not good"]);
    expect(found("failed", "", null)).toEqual(["good?"]);
    expect(found("all", "", 0.6)).toEqual(["Not good"]);
  });

  it("holds no formula that a spreadsheet would run", () => {
    expect(csvOf([{ ...row, text: '=HYPERLINK("http://x")' }], [1])).toContain("'=HYPERLINK");
  });
});
