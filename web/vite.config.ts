import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The API is under /api of the page's origin, here as on CloudFront; `make up` serves both.
const API = process.env.API_URL ?? "http://localhost:8000";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/api": API, "/config.json": API } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0, // the content security policy allows files, not data: URLs
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
