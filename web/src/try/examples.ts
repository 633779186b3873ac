export const EXAMPLES = [
  { name: "Praise", text: "A clever script, and the whole cast is clearly having fun. I laughed until the credits and went straight back in." },
  { name: "Complaint", text: "Two hours I will never get back. The plot makes no sense, the jokes fall flat and even the music is dull." },
  {
    name: "Mixed",
    text: "The story is thin and the ending drags, but the acting is superb and every frame is a painting. I would not have missed it.",
  },
  { name: "Irony", text: "Oh great, another remake. Exactly what nobody was waiting for, and it still manages to disappoint." },
] as const;
