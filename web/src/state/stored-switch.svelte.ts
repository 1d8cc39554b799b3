/** A choice of yes or no that this browser keeps; where storage is denied, the page does as long as it is open. */
export class StoredSwitch {
  isOn = $state(false);
  readonly #key: string;
  readonly #usual: boolean;

  constructor(key: string, usual: boolean) {
    this.#key = key;
    this.#usual = usual;
    this.isOn = this.#stored() ?? usual;
  }

  choose(isOn: boolean): void {
    this.isOn = isOn;
    try {
      if (isOn === this.#usual) localStorage.removeItem(this.#key);
      else localStorage.setItem(this.#key, isOn ? "on" : "off");
    } catch {
      // The choice then lasts as long as the page.
    }
  }

  #stored(): boolean | undefined {
    try {
      const text = localStorage.getItem(this.#key);
      return text === "on" ? true : text === "off" ? false : undefined;
    } catch {
      return undefined;
    }
  }
}
