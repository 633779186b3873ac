import { describe, expect, it } from "vitest";

import { csvOf, linesOf, type Row, textsOf } from "./rows";

describe("what people paste or drop", () => {
  it("is a text a line, without the empty ones", () => {
    expect(linesOf(" one \r\n\n two\n")).toEqual(["one", "two"]);
  });

  it("is the column with a usual name", () => {
    const csv = '\uFEFFid,Review\n1,"Good, very good"\n2,"It said ""no"""\n';
    expect(textsOf(csv)).toEqual({ texts: ["Good, very good", 'It said "no"'], column: "Review" });
  });

  it("is the column with the longest texts where no name is usual", () => {
    expect(textsOf("1,a long sentence,x\n2,another sentence,y\n")).toEqual({
      texts: ["a long sentence", "another sentence"],
      column: null,
    });
  });

  it("keeps lines within quotes together", () => {
    expect(textsOf('text\n"one\ntwo"\n').texts).toEqual(["one\ntwo"]);
  });

  it("may be nothing", () => {
    expect(textsOf("")).toEqual({ texts: [], column: null });
    expect(textsOf("text\n")).toEqual({ texts: [], column: "text" });
  });
});

describe("the file that is downloaded", () => {
  const row: Row = { text: "Good", sentiment: "positive", confidence: 0.9, truncated: false, predictionId: "p", error: null };

  it("has a row for each text, failed ones too", () => {
    const failed: Row = { ...row, text: " ", sentiment: null, confidence: null, predictionId: null, error: "Empty" };
    expect(csvOf([row, failed]).split("\r\n")).toEqual([
      "text,sentiment,confidence,truncated,prediction_id,error",
      "Good,positive,0.9,false,p,",
      '" ",,,,,Empty',
    ]);
  });

  it("holds no formula that a spreadsheet would run", () => {
    expect(csvOf([{ ...row, text: '=HYPERLINK("http://x")' }])).toContain("'=HYPERLINK");
  });
});
