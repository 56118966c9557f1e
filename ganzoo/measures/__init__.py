"""What can be measured: the contract (``base``), the measures that every ganzoo has (``built_in``), and the table of all."""
