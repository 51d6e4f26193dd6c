import type { ReactNode } from "react";
import "./style.css";

export const metadata = { title: "Next", icons: "data:," };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body><main><h1>Next</h1>{children}</main></body>
    </html>
  );
}
