"""What the extractive model can make of a document: questions with the sentences that answer them."""
